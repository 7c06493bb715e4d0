/** Response header with the seed of each prompt, in order and joined by commas: sending it as `seed` repeats the answer. */
export const SEED_HEADER = 'x-kvasir-seed';
