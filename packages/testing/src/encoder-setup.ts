import { provideRealModels } from './real-models.js';

/** Vitest global setup of packages that test on the real encoder. */
export function setup(): void {
  provideRealModels({ KVASIR_TEST_MINILM: 'minilm-l6-v2' });
}
