import { provideRealModels } from './real-models.js';

/** Vitest global setup of packages that test on the real language models. */
export function setup(): void {
  provideRealModels({ KVASIR_TEST_SMOLLM2: 'smollm2-135m', KVASIR_TEST_GEMMA3: 'gemma3-270m' });
}
