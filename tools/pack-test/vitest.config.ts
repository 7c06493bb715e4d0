import { definePackageTests } from '../vitest/package-tests.js';

export default definePackageTests(import.meta.url, {
  name: 'packed packages',
  include: ['*.test.ts'],
  testTimeout: 300_000,
  hookTimeout: 300_000,
});
