// Writes THIRD_PARTY_NOTICES.md: every package that a consumer of Kvasir installs, with its licence text.
// `--check` compares instead, and fails when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderNotices } from './notices/render.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = join(root, 'THIRD_PARTY_NOTICES.md');
const notices = renderNotices(root);

if (process.argv.includes('--check')) {
  if (readFileSync(path, 'utf8') !== notices) {
    console.error('THIRD_PARTY_NOTICES.md is stale: run npm run notices.');
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, notices);
}
