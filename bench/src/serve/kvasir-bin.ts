import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The command of the checkout; it runs what was built. */
export function kvasirBin(): string {
  const manifest = createRequire(import.meta.url).resolve('kvasir/package.json');
  return join(dirname(manifest), 'bin', 'kvasir.js');
}
