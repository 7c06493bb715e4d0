import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Path of nx's command; known only once dependencies are installed. */
export function nxCommand(root) {
  const directory = join(root, 'node_modules', 'nx');
  const { bin } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  return join(directory, bin.nx);
}
