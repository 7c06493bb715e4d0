const MULTIPLIER_0 = 0xd2511f53n;
const MULTIPLIER_1 = 0xcd9e8d57n;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/**
 * Philox4x32-10: four random words for a counter and a key, with no state.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC'11).
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter.map((word) => word >>> 0) as [number, number, number, number];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < ROUNDS; round++) {
    const p0 = MULTIPLIER_0 * BigInt(c0);
    const p1 = MULTIPLIER_1 * BigInt(c2);
    const next0 = (Number(p1 >> 32n) ^ c1 ^ k0) >>> 0;
    const next2 = (Number(p0 >> 32n) ^ c3 ^ k1) >>> 0;
    c1 = Number(p1 & 0xffffffffn);
    c3 = Number(p0 & 0xffffffffn);
    c0 = next0;
    c2 = next2;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * The 32 random bits of one candidate token. Noise belongs to (seed, absolute position, token id) and to nothing else:
 * word `tokenId mod 4` of Philox4x32-10 with counter `(tokenId div 4, position, 0, 0)` and key `(low, high)` of the seed.
 * @param position - Index in the whole history that the sampled token will have.
 */
export function tokenNoiseBits(seed: bigint, position: number, tokenId: number): number {
  const key = [Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn)] as const;
  const words = philox4x32([tokenId >>> 2, position, 0, 0], key);
  return words[(tokenId & 3) as 0 | 1 | 2 | 3];
}

/**
 * Noise bits as a uniform number in (0, 1): the top 24 bits, centred. Above 1/2 that takes 25 bits, so a float32
 * implementation works from `1 - u` there.
 */
export function noiseUniform(bits: number): number {
  return ((bits >>> 8) + 0.5) / 16777216;
}

/**
 * Gumbel noise of one candidate: a backend samples `argmax(logit / temperature + gumbel)` over the tokens that top-k and top-p keep;
 * equal sums go to the lowest id.
 */
export function tokenGumbel(seed: bigint, position: number, tokenId: number): number {
  return -Math.log(-Math.log(noiseUniform(tokenNoiseBits(seed, position, tokenId))));
}

/** Seed of choice `index` of a request: the request's own for choice 0, else a hash of both that depends on nothing else. */
export function choiceSeed(seed: bigint, index: number): bigint {
  if (index === 0) return seed;
  const [low, high] = philox4x32(
    [index >>> 0, 0x43484f49, 0, 0],
    [Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn)],
  );
  return (BigInt(high) << 32n) | BigInt(low);
}
