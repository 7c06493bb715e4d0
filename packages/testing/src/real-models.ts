import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Names the files of catalogue models in the environment. The built command fetches them once into the model cache; a variable that is
 * set already is kept.
 * @param models - Catalogue name by variable.
 */
export function provideRealModels(models: Readonly<Record<string, string>>): void {
  for (const [variable, name] of Object.entries(models)) {
    const given = process.env[variable];
    if (given === undefined || given === '') process.env[variable] = pull(name);
    else if (!existsSync(given)) throw new Error(`${variable} names ${given}, which does not exist`);
  }
}

function pull(name: string): string {
  const bin = fileURLToPath(new URL('../../cli/bin/kvasir.js', import.meta.url));
  if (!existsSync(fileURLToPath(new URL('../../cli/dist/bin.js', import.meta.url)))) {
    throw new Error(`the real models are fetched with the built command, which is missing: npm run build first`);
  }
  return execFileSync(process.execPath, [bin, 'pull', name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}
