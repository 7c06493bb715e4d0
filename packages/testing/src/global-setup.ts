import { existsSync } from 'node:fs';
import { resolveModel } from '@kvasir/model';

const MODELS = { KVASIR_TEST_SMOLLM2: 'smollm2-135m', KVASIR_TEST_GEMMA3: 'gemma3-270m' } as const;

/**
 * Vitest global setup of packages that test on the real models: names their files in the environment.
 * They are fetched once into the model cache; a variable that is set already is kept.
 */
export async function setup(): Promise<void> {
  for (const [variable, name] of Object.entries(MODELS)) {
    const given = process.env[variable];
    if (given !== undefined && given !== '') {
      if (!existsSync(given)) throw new Error(`${variable} names ${given}, which does not exist`);
      continue;
    }
    const { path } = await resolveModel(name);
    process.env[variable] = path;
  }
}
