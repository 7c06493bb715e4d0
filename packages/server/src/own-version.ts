import { createRequire } from 'node:module';

/** Version of this package, from its manifest: `src` and `dist` lie equally deep. */
export function ownVersion(): string {
  const manifest = createRequire(import.meta.url)('../package.json') as { readonly version: string };
  return manifest.version;
}
