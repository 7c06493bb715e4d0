import { definePackageTests } from '../../tools/vitest/package-tests.js';

export default definePackageTests(import.meta.url, {
  include: ['test/**/*.long.test.ts'],
  exclude: [],
  fileParallelism: false,
});
