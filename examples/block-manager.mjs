// Two prompts that begin alike share the blocks of what they have in common.
import { createKvCacheManager } from '@kvasir/block-manager';

const kv = createKvCacheManager({ numBlocks: 65, blockSize: 4, groups: [{ kind: 'full', bytesPerBlock: 4096 }] });
const run = (id, tokens) => {
  const numCached = kv.open(id, Int32Array.from(tokens));
  if (!kv.reserve(id, tokens.length)) throw new Error('no room: try later');
  kv.commit(id, tokens, tokens.length);
  console.log(
    `sequence ${id}: ${numCached} of ${tokens.length} tokens cached, blocks ${kv.table(id, 0).ids.subarray(0, kv.table(id, 0).length)}`,
  );
};
run(1, [5, 6, 7, 8, 9, 10]);
run(2, [5, 6, 7, 8, 1, 2, 3]);
kv.checkIntegrity();
