import { definePackageBuild } from '../../tools/tsup/package-build.js';

// The few builders of typebox that are used come in with the package: importing all of it would cost a cold start 50 ms.
export default definePackageBuild(import.meta.url, { noExternal: ['@sinclair/typebox'] });
