import { definePackageBuild } from '../../tools/tsup/package-build.js';

export default definePackageBuild(import.meta.url);
