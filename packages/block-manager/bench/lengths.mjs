/** Repeatable uniform numbers in [0, 1): mulberry32. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Log-normal lengths with a given mean: the long tail that chats have. */
function logNormal(random, mean, sigma, max) {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const length = Math.exp(Math.log(mean) - (sigma * sigma) / 2 + sigma * normal);
  return Math.min(max, Math.max(1, Math.round(length)));
}

/** Mean lengths of ShareGPT as the PagedAttention paper reports them: 161 tokens in, 338 out. */
export function shareGptLike(random) {
  return { promptLength: logNormal(random, 161, 1.1, 2048), outputLength: logNormal(random, 338, 0.9, 2048) };
}
