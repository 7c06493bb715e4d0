// Two prompts that begin alike share the blocks of what they have in common.
import { createKvCacheManager } from '@kvasir/block-manager';

const kv = createKvCacheManager({ numBlocks: 65, blockSize: 4, groups: [{ kind: 'full', bytesPerBlock: 4096 }] });
for (const [id, tokens] of [
  [1, [5, 6, 7, 8, 9, 10]],
  [2, [5, 6, 7, 8, 1, 2, 3]],
]) {
  const numCached = kv.open(id, Int32Array.from(tokens)); // leading tokens whose keys and values are there already
  if (!kv.reserve(id, tokens.length)) throw new Error('no room, and nothing has changed: try later');
  const { ids, length } = kv.table(id, 0); // what attention reads: the blocks of group 0
  console.log(`sequence ${id}: ${numCached} of ${tokens.length} cached, blocks ${ids.subarray(0, length)}`);
  kv.commit(id, tokens, tokens.length); // computed: others find its full blocks from now on
}
kv.close(1); // its blocks are free, and stay findable until something needs the room
kv.checkIntegrity();
