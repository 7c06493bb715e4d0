import { createKvCacheManager } from '@kvasir/block-manager';
import { seededRandom, shareGptLike } from './lengths.mjs';

const NUM_RUNNING = 64;
const NUM_STEPS = 4_000;
const FULL = { kind: 'full', bytesPerBlock: 1 };

/**
 * Continuous batching with `NUM_RUNNING` sequences of a ShareGPT-like mix: a sequence that ends is followed by the next one.
 * Memory held beyond tokens stored, over all steps; room for the token that is computed and for `numDrafts` more is reserved.
 */
function measureWaste(blockSize, numDrafts) {
  const kv = createKvCacheManager({
    numBlocks: Math.ceil((NUM_RUNNING * 4200) / blockSize),
    blockSize,
    groups: [FULL],
  });
  const random = seededRandom(7);
  const tokens = Int32Array.from({ length: 4200 }, () => Math.floor(random() * 50_000));
  const running = [];
  let nextId = 1;
  let held = 0;
  let stored = 0;
  const start = () => {
    const { promptLength, outputLength } = shareGptLike(random);
    const sequence = { id: nextId++, length: promptLength, end: promptLength + outputLength };
    kv.open(sequence.id, tokens.subarray(0, promptLength), { salt: String(sequence.id) });
    if (!kv.reserve(sequence.id, promptLength)) throw new Error('the pool is too small for this mix');
    kv.commit(sequence.id, tokens, promptLength);
    return sequence;
  };
  for (let at = 0; at < NUM_RUNNING; at++) running.push(start());
  for (let step = 0; step < NUM_STEPS; step++) {
    for (let at = 0; at < NUM_RUNNING; at++) {
      const sequence = running[at];
      sequence.length++;
      kv.reserve(sequence.id, sequence.length + numDrafts);
      kv.commit(sequence.id, tokens, sequence.length);
    }
    // Measured while the drafts' room is held, as a step in flight holds it.
    const usage = kv.usage();
    held += usage.heldTokens;
    stored += usage.storedTokens;
    for (let at = 0; at < NUM_RUNNING; at++) {
      const sequence = running[at];
      kv.truncate(sequence.id, sequence.length);
      if (sequence.length < sequence.end) continue;
      kv.close(sequence.id);
      running[at] = start();
    }
  }
  kv.checkIntegrity();
  return { blockSize, numDrafts, wastePercent: 100 * (1 - stored / held) };
}

/** What reserving the longest possible length for everyone would waste on the same mix. */
function contiguousWaste() {
  const random = seededRandom(7);
  let stored = 0;
  let held = 0;
  for (let i = 0; i < 20_000; i++) {
    const { promptLength, outputLength } = shareGptLike(random);
    stored += outputLength * (promptLength + outputLength / 2);
    held += outputLength * 4096;
  }
  return 100 * (1 - stored / held);
}

export function runWaste() {
  return {
    paged: [
      [16, 0],
      [16, 4],
      [32, 0],
    ].map(([blockSize, numDrafts]) => measureWaste(blockSize, numDrafts)),
    contiguousWastePercent: contiguousWaste(),
  };
}
