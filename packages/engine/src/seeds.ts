import { randomBytes } from 'node:crypto';
import { choiceSeed } from '@kvasir/interfaces';

/** 64 random bits. */
export function drawRandomSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}

/** A reproducible run of seeds: draw `i` is a hash of `seed` and `i`. */
export function seedSequence(seed: bigint): () => bigint {
  let numDrawn = 0;
  return () => choiceSeed(seed, ++numDrawn);
}
