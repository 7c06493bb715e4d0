import { definePackageTests } from '../../tools/vitest/package-tests.js';

// A session takes every core: two of them at once would wait for each other.
export default definePackageTests(import.meta.url, { fileParallelism: false });
