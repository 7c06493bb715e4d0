// What schedule() + commit() costs with 256 sequences running, of which so many leave and as many join in every step, and what
// add() costs beside it, which is where prompts are hashed. Every prompt is new and has 64 tokens; a sequence that is one of n
// leaving in every step lives 256 / n steps. Run alone it prints a table; with --worker it answers JSON lines for `npm run bench`.
import { createInterface } from 'node:readline';
import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler } from '@kvasir/scheduler';

const NUM_RUNNING = 256;
const PROMPT_LENGTH = 64;
const BLOCK_SIZE = 16;
const MAX_BATCHED_TOKENS = 8192;

const NOTHING = { tokenIds: [], numAccepted: 0, ended: false };
const TOKEN = { tokenIds: [17], numAccepted: 0, ended: false };

/** Times in microseconds of every step: `step` is schedule() + commit(), `admission` the add() calls before it. */
export function measure({
  numChurn,
  numSteps,
  numBlocks,
  enablePrefixCaching = true,
  maxInFlight = 1,
  policy = 'fcfs',
}) {
  const kvCache = createKvCacheManager({
    numBlocks,
    blockSize: BLOCK_SIZE,
    groups: [{ kind: 'full', bytesPerBlock: 1 }],
    enablePrefixCaching,
  });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs: NUM_RUNNING,
    maxNumBatchedTokens: MAX_BATCHED_TOKENS,
    maxModelLen: 4096,
    maxInFlight,
    policy,
  });
  let nextId = 1;
  // The first ones leave one after the other, so that every later step sees as many leave.
  const numOutputOf = (id) => {
    if (numChurn === 0) return 4096 - PROMPT_LENGTH;
    return id <= NUM_RUNNING ? Math.ceil(id / numChurn) : NUM_RUNNING / numChurn;
  };
  const makeSpecs = (count) =>
    Array.from({ length: count }, () => {
      const id = nextId++;
      const promptTokenIds = Int32Array.from({ length: PROMPT_LENGTH }, (_, i) => (id * 31 + i * i) % 50_000);
      const maxLength = PROMPT_LENGTH + numOutputOf(id);
      return { id, promptTokenIds, maxLength, promptLogprobs: false, needsSync: false, tenant: `tenant ${id % 4}` };
    });
  const addAll = (specs) => {
    const start = performance.now();
    for (const spec of specs) scheduler.add(spec);
    return (performance.now() - start) * 1000;
  };
  const times = { step: [], admission: [] };
  const inFlight = [];
  addAll(makeSpecs(NUM_RUNNING));
  for (let step = 0; step < numSteps; step++) {
    const start = performance.now();
    const next = scheduler.schedule();
    const planned = performance.now();
    if (next !== null) inFlight.push(next);
    if (inFlight.length < maxInFlight && next !== null) continue;
    const plan = inFlight.shift();
    const outcomes = plan.rows.map(({ samples }) => (samples ? TOKEN : NOTHING));
    const numBefore = scheduler.numUnfinished;
    const answered = performance.now();
    scheduler.commit(plan, outcomes);
    times.step.push((planned - start + performance.now() - answered) * 1000);
    times.admission.push(addAll(makeSpecs(numBefore - scheduler.numUnfinished)));
  }
  // Warm-up.
  times.step.splice(0, times.step.length >> 2);
  times.admission.splice(0, times.admission.length >> 2);
  return times;
}

const at = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))];

function printTable() {
  for (const policy of ['fcfs', 'fair', 'priority', 'shortest-prefix-first'])
    print({ numChurn: 64, numBlocks: 40_000, policy });
  for (const numBlocks of [1_300, 1_000_000]) print({ numChurn: 64, numBlocks });
  print({ numChurn: 0, numBlocks: 40_000 });
  print({ numChurn: 64, numBlocks: 40_000, maxInFlight: 2 });
  print({ numChurn: 64, numBlocks: 40_000, enablePrefixCaching: false });
}

function print(settings) {
  const numSteps = settings.numChurn === 0 ? 1_000 : 2_000;
  const { step, admission } = measure({ ...settings, numSteps });
  const [median, tail, adding] = [at(step, 0.5), at(step, 0.99), at(admission, 0.5)].map((micros) => micros.toFixed(0));
  process.stdout.write(`${JSON.stringify(settings)}: ${median} us median, ${tail} us p99; add() ${adding} us a step\n`);
}

if (process.argv.includes('--worker')) {
  process.stdout.write('@{"version":"this commit"}\n');
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`@${JSON.stringify(measure(JSON.parse(line)))}\n`);
  }
} else if (import.meta.filename === process.argv[1]) printTable();
