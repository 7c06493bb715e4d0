// Copies the headers that native packages share into a package about to be packed, so that its tarball builds alone.
// Its binding.gyp names both `native/vendor/include` and `../../native/include`.
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const shared = fileURLToPath(new URL('../../native/include', import.meta.url));
const target = join(process.argv[2] ?? process.cwd(), 'native', 'vendor', 'include');

rmSync(target, { recursive: true, force: true });
if (existsSync(shared)) cpSync(shared, target, { recursive: true });
