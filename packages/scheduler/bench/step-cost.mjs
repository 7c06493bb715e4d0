// What one schedule() + commit() costs with 256 sequences running, of which 64 leave and 64 others join in every step.
// Prompts are new each time. With prefix caching their blocks are hashed as they fill, which is part of commit().
import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler } from '@kvasir/scheduler';

const NUM_RUNNING = 256;
const PROMPT_LENGTH = 64;
const NUM_STEPS = 2_000;

const NOTHING = { tokenIds: [], numAccepted: 0, ended: false };
const TOKEN = { tokenIds: [17], numAccepted: 0, ended: false };
const LAST_TOKEN = { tokenIds: [17], numAccepted: 0, ended: true };

function measure({ numChurn, maxInFlight, numBlocks, enablePrefixCaching }) {
  const kvCache = createKvCacheManager({
    numBlocks,
    blockSize: 16,
    groups: [{ kind: 'full', bytesPerBlock: 1 }],
    enablePrefixCaching,
  });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs: NUM_RUNNING,
    maxNumBatchedTokens: 8192,
    maxModelLen: 4096,
    maxInFlight,
  });
  let nextId = 1;
  const add = () => {
    const promptTokenIds = Int32Array.from({ length: PROMPT_LENGTH }, (_, i) => (nextId * 31 + i * i) % 50_000);
    scheduler.add({ id: nextId++, promptTokenIds, maxLength: 4096, promptLogprobs: false, needsSync: false });
  };
  const ended = new Set();
  const inFlight = [];
  const micros = [];
  for (let i = 0; i < NUM_RUNNING; i++) add();
  for (let step = 0; step < NUM_STEPS; step++) {
    const start = performance.now();
    inFlight.push(scheduler.schedule());
    const planned = performance.now();
    if (inFlight.length < maxInFlight) continue;

    const plan = inFlight.shift();
    let numEnding = 0;
    const outcomes = plan.rows.map((row) => {
      if (!row.samples || ended.has(row.sequence)) return NOTHING;
      if (numEnding >= numChurn) return TOKEN;
      numEnding++;
      ended.add(row.sequence);
      return LAST_TOKEN;
    });
    const answered = performance.now();
    scheduler.commit(plan, outcomes);
    micros.push((planned - start + performance.now() - answered) * 1000);
    for (let i = 0; i < numEnding; i++) add();
  }
  micros.splice(0, micros.length >> 2);
  micros.sort((a, b) => a - b);
  const at = (part) => micros[Math.floor(part * (micros.length - 1))].toFixed(0).padStart(4);
  return `${at(0.5)} us median, ${at(0.99)} us 99th percentile`;
}

for (const numBlocks of [40_000, 1_000_000]) {
  for (const enablePrefixCaching of [false, true]) {
    for (const maxInFlight of [1, 2]) {
      for (const numChurn of [0, 64]) {
        const result = measure({ numChurn, maxInFlight, numBlocks, enablePrefixCaching });
        process.stdout.write(
          `${numBlocks} blocks, ${enablePrefixCaching ? 'hashing' : 'no hash'}, ${maxInFlight} in flight, ${numChurn} leave and join a step: ${result}\n`,
        );
      }
    }
  }
}
