import { philox4x32 } from '@kvasir/interfaces';

/** Uniform numbers in [0, 1), the same ones for the same seed. */
export function seededRandom(seed: number): () => number {
  let numDrawn = 0;
  let words: readonly number[] = [];
  return () => {
    if (numDrawn % 4 === 0) words = philox4x32([numDrawn / 4, 0, 0, 0], [seed, 0]);
    return words[numDrawn++ % 4]! / 2 ** 32;
  };
}
