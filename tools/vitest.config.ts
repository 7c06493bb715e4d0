import { definePackageTests } from './vitest/package-tests.js';

export default definePackageTests(import.meta.url);
