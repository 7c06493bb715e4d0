import { createKvCacheManager } from '@kvasir/block-manager';
import { seededRandom } from './lengths.mjs';

const BLOCK_SIZE = 16;
const PROMPT_LENGTH = 64;
const FULL = { kind: 'full', bytesPerBlock: 1 };

const NUM_ROUNDS = 31;

/** Nanoseconds of one turn of `work`, called with ever higher numbers. */
function timeRound(numTurns, first, work) {
  const start = performance.now();
  for (let turn = 0; turn < numTurns; turn++) work(first + turn);
  return ((performance.now() - start) * 1e6) / numTurns;
}

/** A pool that is full of cached blocks, so that each new block evicts one. */
function fullPool(numBlocks) {
  const kv = createKvCacheManager({ numBlocks: numBlocks + 1, blockSize: BLOCK_SIZE, groups: [FULL] });
  const random = seededRandom(1);
  for (let id = 1; kv.stats().numCachedBlocks + 4 <= numBlocks; id++) {
    const tokens = Int32Array.from({ length: PROMPT_LENGTH }, () => Math.floor(random() * 50_000));
    kv.open(id, tokens);
    kv.reserve(id, PROMPT_LENGTH);
    kv.commit(id, tokens, PROMPT_LENGTH);
    kv.close(id);
  }
  return kv;
}

/** The three operations on one pool, each as a function that measures a round. */
function operationsOn(numBlocks) {
  const kv = fullPool(numBlocks);
  const random = seededRandom(2);
  const decoded = new Int32Array(1024);
  const prompts = Array.from({ length: NUM_ROUNDS * 64 }, () =>
    Int32Array.from({ length: PROMPT_LENGTH }, () => Math.floor(random() * 50_000)),
  );
  const prepared = prompts.map((prompt) => kv.prepare(prompt));
  let id = 10_000_000;
  return {
    // One token of a running sequence: counters, and a table entry and a hash at every sixteenth.
    decode(round) {
      kv.open(1, decoded.subarray(0, 1), { salt: String(round) });
      const nanoseconds = timeRound(512, 1, (length) => {
        kv.reserve(1, length);
        kv.commit(1, decoded, length);
      });
      kv.close(1);
      return nanoseconds;
    },
    // A new prompt of four blocks, hashed before, from open to close: four evictions and four publications.
    miss(round) {
      return timeRound(64, 64 * round, (turn) => {
        kv.open(++id, prompts[turn], { prepared: prepared[turn] });
        kv.reserve(id, PROMPT_LENGTH);
        kv.commit(id, prompts[turn], PROMPT_LENGTH);
        kv.close(id);
      });
    },
    // Prompts of this round again: blocks leave the middle of the free list and join its tail.
    hit(round) {
      const { prefixHits } = kv.stats();
      const nanoseconds = timeRound(256, 0, (turn) => {
        const at = 64 * round + 32 + (turn % 32);
        kv.open(++id, prompts[at], { prepared: prepared[at] });
        kv.close(id);
      });
      if (kv.stats().prefixHits !== prefixHits + 256) throw new Error('not all were found: this does not measure hits');
      return nanoseconds;
    },
  };
}

/** Pools of all sizes in turns, so that whatever disturbs the machine disturbs all of them; of each the round that was disturbed least. */
export function runOperations() {
  const sizes = [1_000, 10_000, 100_000, 1_000_000];
  const pools = sizes.map(operationsOn);
  const rounds = sizes.map(() => ({ decode: [], miss: [], hit: [] }));
  for (let round = 0; round < NUM_ROUNDS; round++) {
    pools.forEach((operations, at) => {
      for (const name of ['decode', 'miss', 'hit']) rounds[at][name].push(operations[name](round));
    });
  }
  return sizes.map((numBlocks, at) => ({
    numBlocks,
    decodeNs: Math.min(...rounds[at].decode),
    missNs: Math.min(...rounds[at].miss),
    hitNs: Math.min(...rounds[at].hit),
  }));
}

/** Microseconds to hash 1,000 tokens of a prompt at admission. */
export function runHashing() {
  const kv = createKvCacheManager({ numBlocks: 2, blockSize: BLOCK_SIZE, groups: [FULL] });
  const lengths = [1_000, 10_000, 100_000];
  const prompts = lengths.map((length) => Int32Array.from({ length }, (_, i) => (i * 31) % 50_000));
  const rounds = lengths.map(() => []);
  for (let round = 0; round < NUM_ROUNDS; round++) {
    prompts.forEach((prompt, at) => {
      rounds[at].push(timeRound(Math.ceil(10_000 / prompt.length), 0, () => kv.prepare(prompt)));
    });
  }
  return lengths.map((length, at) => ({ length, microsecondsPer1000Tokens: Math.min(...rounds[at]) / length }));
}
