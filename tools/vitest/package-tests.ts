import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultServerConditions } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/**
 * The tests of one package. Siblings resolve to their sources, so nothing needs to be built first except addons.
 * @param configUrl - `import.meta.url` of the package's vitest.config.ts.
 * @param test - Merged last, e.g. `{ testTimeout: 60_000 }`.
 */
export function definePackageTests(configUrl: string, test: ViteUserConfig['test'] = {}): ViteUserConfig {
  const root = fileURLToPath(new URL('.', configUrl));
  // Vite replaces its own list by the one given, so its defaults follow the source condition.
  const conditions = ['@kvasir/source', ...defaultServerConditions];
  return defineConfig({
    root,
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      name: basename(root),
      include: ['test/**/*.test.ts'],
      exclude: ['test/**/*.long.test.ts'],
      pool: 'forks',
      maxWorkers: 2,
      testTimeout: 20_000,
      passWithNoTests: true,
      reporters: ['default', ['json', { outputFile: '.vitest/results.json' }]],
      ...test,
    },
  });
}
