// What one schedule() + commit() costs: 256 sequences run, 64 of them leave and 64 others join in every step.
// Prompts are opened (and hashed) at admission, which is part of schedule(); they are new each time, so nothing is cached.
import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler } from '@kvasir/scheduler';

const NUM_RUNNING = 256;
const PROMPT_LENGTH = 64;

function measure({ numChurn, maxInFlight, numBlocks, numSteps }) {
  const kvCache = createKvCacheManager({ numBlocks, blockSize: 16, groups: [{ kind: 'full', bytesPerBlock: 1 }] });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs: NUM_RUNNING,
    maxNumBatchedTokens: 8192,
    maxModelLen: 4096,
    maxInFlight,
  });
  // A sequence lives for as many steps as it takes all to be replaced once; without churn, for all of them.
  const lifetime = numChurn === 0 ? 4000 : NUM_RUNNING / numChurn;
  let nextId = 1;
  const add = () => {
    const promptTokenIds = Int32Array.from({ length: PROMPT_LENGTH }, (_, i) => (nextId * 31 + i) % 50_000);
    const spec = { promptTokenIds, maxLength: PROMPT_LENGTH + lifetime, promptLogprobs: false, needsSync: false };
    scheduler.add({ id: nextId++, ...spec });
  };
  const noToken = { tokenIds: [], numAccepted: 0, ended: false };
  const token = { tokenIds: [17], numAccepted: 0, ended: false };
  const outcomes = [];
  const inFlight = [];
  const micros = [];
  const alive = new Map();
  for (let step = 0; step < numSteps; step++) {
    const numJoin = step === 0 ? NUM_RUNNING : numChurn;
    // At first they have arrived spread out, so that later equally many leave in every step.
    for (let i = 0; i < numJoin; i++) add();
    const start = performance.now();
    const plan = scheduler.schedule();
    const planned = performance.now();
    inFlight.push(plan);
    if (inFlight.length < maxInFlight) continue;
    const oldest = inFlight.shift();
    outcomes.length = 0;
    for (const row of oldest.rows) outcomes.push(row.samples && alive.get(row.sequence) !== 'ended' ? token : noToken);
    const answered = performance.now();
    scheduler.commit(oldest, outcomes);
    micros.push((planned - start + performance.now() - answered) * 1000);
  }
  micros.splice(0, micros.length >> 2);
  micros.sort((a, b) => a - b);
  const at = (part) => micros[Math.floor(part * (micros.length - 1))].toFixed(0);
  return `${at(0.5)} us median, ${at(0.99)} us 99th percentile; ${scheduler.stats().numRunning} running, ${scheduler.stats().numWaiting} waiting`;
}

for (const numBlocks of [8_192, 1_000_000]) {
  for (const maxInFlight of [1, 2]) {
    for (const numChurn of [0, 64]) {
      const text = measure({ numChurn, maxInFlight, numBlocks, numSteps: 2_000 });
      process.stdout.write(`${numBlocks} blocks, ${maxInFlight} in flight, ${numChurn} join and leave a step: ${text}\n`);
    }
  }
}
