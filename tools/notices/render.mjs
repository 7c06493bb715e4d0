import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { productionClosure } from './closure.mjs';

/** Header-only, so it ends up inside the addons. */
const COMPILED_IN = ['node-addon-api'];

const HEADING = `# Third-party notices

What installing Kvasir's packages brings with it, and what is compiled into their addons. Written by \`npm run notices\`
from package-lock.json; do not edit.
`;

/** The text of THIRD_PARTY_NOTICES.md, the same on every platform. */
export function renderNotices(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const sections = productionClosure(packages, COMPILED_IN).map((path) => renderPackage(root, path, packages[path]));
  return `${[HEADING, ...new Set(sections)].join('\n')}`;
}

function renderPackage(root, path, { version, license = 'unknown licence', os, cpu }) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const heading = `## ${name} ${version}\n\n${license}\n`;
  // Binaries of one platform are installed there only; their licence is that of the package that names them.
  if (os !== undefined || cpu !== undefined) return heading;
  const text = licenceText(join(root, path));
  return text === undefined ? heading : `${heading}\n\`\`\`text\n${text}\n\`\`\`\n`;
}

function licenceText(directory) {
  if (!existsSync(directory)) throw new Error(`${directory} is not installed: run npm ci --ignore-scripts`);
  const file = readdirSync(directory)
    .sort()
    .find((name) => /^(licen[cs]e|copying)/i.test(name));
  return file === undefined ? undefined : readFileSync(join(directory, file), 'utf8').replaceAll('\r\n', '\n').trim();
}
