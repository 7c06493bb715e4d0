import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MODELS = { KVASIR_TEST_SMOLLM2: 'smollm2-135m', KVASIR_TEST_GEMMA3: 'gemma3-270m' } as const;

/**
 * Vitest global setup of packages that test on the real models: names their files in the environment.
 * The built command fetches them once into the model cache; a variable that is set already is kept.
 */
export function setup(): void {
  for (const [variable, name] of Object.entries(MODELS)) {
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
