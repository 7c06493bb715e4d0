import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** How node-gyp finds headers: those of the installation at `prefix` when it has them, else it fetches them itself. */
export function headerArguments(prefix) {
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}
