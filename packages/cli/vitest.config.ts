import { definePackageTests } from '../../tools/vitest/package-tests.js';

export default definePackageTests(import.meta.url, {
  globalSetup: ['@kvasir/testing/global-setup', '@kvasir/testing/encoder-setup'],
  // A session takes every core: two of them at once would wait for each other.
  fileParallelism: false,
});
