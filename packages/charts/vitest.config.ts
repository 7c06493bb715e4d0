import { definePackageTests } from '../../tools/vitest/package-tests.js';

export default definePackageTests(import.meta.url);
