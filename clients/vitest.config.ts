import { definePackageTests } from '../tools/vitest/package-tests.js';

const missing = (process.env['KVASIR_CLIENTS_MISSING'] ?? '').split(',');

export default definePackageTests(import.meta.url, {
  globalSetup: ['./setup/global-setup.ts'],
  include: [
    'test/**/*.test.ts',
    ...['npm', 'python'].filter((name) => !missing.includes(name)).map((name) => `${name}/test/*.test.ts`),
  ],
  testTimeout: 60_000,
  hookTimeout: 60_000,
});
