import { createKvCacheManager } from '@kvasir/block-manager';

const BLOCK_SIZE = 16;
const CHUNK = 512;
const FULL = { kind: 'full', bytesPerBlock: 1 };
const WINDOW = { kind: 'window', window: 512, bytesPerBlock: 1 };
/** Gemma 3 270M: 18 layers, every sixth sees everything. Three layers a group, so that all groups have blocks of one size. */
const GEMMA = [FULL, WINDOW, WINDOW, WINDOW, WINDOW, WINDOW];
const ALL_FULL = GEMMA.map(() => FULL);

/** Mean and peak of blocks held by one sequence: prefilled in chunks to half of `length`, then decoded. */
function heldBlocks(groups, length) {
  const kv = createKvCacheManager({
    numBlocks: 2 + groups.length * Math.ceil(length / BLOCK_SIZE),
    blockSize: BLOCK_SIZE,
    groups,
  });
  const tokens = Int32Array.from({ length }, (_, i) => i % 50_000);
  kv.open(1, tokens.subarray(0, 1));
  let peak = 0;
  let sum = 0;
  let numDecoded = 0;
  for (let computed = 0; computed < length; ) {
    const isPrefill = computed < length / 2;
    const end = isPrefill ? Math.min(computed + CHUNK, length / 2) : computed + 1;
    if (!kv.reserve(1, end)) throw new Error('the pool is too small');
    const held = kv.numBlocks - kv.numFreeBlocks;
    peak = Math.max(peak, held);
    if (!isPrefill) {
      sum += held;
      numDecoded++;
    }
    kv.commit(1, tokens, end);
    computed = end;
  }
  return { mean: sum / numDecoded, peak };
}

export function runWindows() {
  return [512, 1024, 2048, 8192, 32768].map((length) => {
    const full = heldBlocks(ALL_FULL, length);
    const hybrid = heldBlocks(GEMMA, length);
    return {
      length,
      fullBlocks: full.mean,
      hybridBlocks: hybrid.mean,
      savedPercent: 100 * (1 - hybrid.mean / full.mean),
      savedPercentAtPeak: 100 * (1 - hybrid.peak / full.peak),
    };
  });
}
