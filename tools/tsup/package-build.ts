import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Options } from 'tsup';

interface PackageManifest {
  readonly exports?: Record<string, string | { readonly '@kvasir/source'?: string }>;
}

/**
 * The build of one package: ESM and CommonJS with declarations for both, from the entries that its own
 * package.json names under the `@kvasir/source` condition, and `src/bin.ts` where there is one.
 * @param configUrl - `import.meta.url` of the package's tsup.config.ts.
 * @param overrides - Merged last, for the rare package that needs more.
 */
export function definePackageBuild(configUrl: string, overrides: Options = {}): ReturnType<typeof defineConfig> {
  const library = sourceEntries(configUrl);
  const hasBin = existsSync(fileURLToPath(new URL('./src/bin.ts', configUrl)));
  return defineConfig({
    entry: hasBin ? [...library, 'src/bin.ts'] : library,
    format: ['esm', 'cjs'],
    // tsup 8 passes `baseUrl`, which TypeScript 6 reports as deprecated.
    dts: {
      entry: library,
      compilerOptions: { composite: false, incremental: false, ignoreDeprecations: '6.0' },
    },
    target: 'node20.19',
    platform: 'node',
    shims: true,
    sourcemap: true,
    clean: true,
    silent: true,
    ...overrides,
  });
}

function sourceEntries(configUrl: string): string[] {
  const manifest = JSON.parse(readFileSync(new URL('./package.json', configUrl), 'utf8')) as PackageManifest;
  return Object.values(manifest.exports ?? {}).flatMap((target) => {
    const source = typeof target === 'string' ? undefined : target['@kvasir/source'];
    return source === undefined ? [] : [source];
  });
}
