// Two requests share steps of at most 8 tokens: the long prompt comes in chunks, nobody waits for it.
import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler } from '@kvasir/scheduler';

const kvCache = createKvCacheManager({ numBlocks: 65, blockSize: 4, groups: [{ kind: 'full', bytesPerBlock: 4096 }] });
const scheduler = createScheduler({ kvCache, maxNumSeqs: 4, maxNumBatchedTokens: 8, maxModelLen: 128 });
const add = (id, promptLength, numOutput) =>
  scheduler.add({
    id,
    promptTokenIds: new Int32Array(promptLength).fill(id),
    maxLength: promptLength + numOutput,
    promptLogprobs: false,
    needsSync: false,
  });
add(1, 3, 4);
add(2, 14, 2);
for (let plan = scheduler.schedule(); plan !== null; plan = scheduler.schedule()) {
  const rows = plan.rows.map(({ sequence, start, numQuery }) => `${sequence}[${start}, ${start + numQuery})`);
  console.log(`step ${plan.stepId}: ${rows.join(' ')}`);
  // A backend would run the rows here. Each that reaches the end of its tokens samples one.
  const outcomes = plan.rows.map(({ samples }) => ({ tokenIds: samples ? [42] : [], numAccepted: 0, ended: false }));
  scheduler.commit(plan, outcomes);
}
