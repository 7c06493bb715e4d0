import type { BlockId, KvGroup, SequenceId } from '@kvasir/interfaces';
import { InvariantError } from '@kvasir/interfaces';
import { beforeEach, expect, it } from 'vitest';
import { BlockHasher } from '../src/block-hasher.js';
import { BlockPool } from '../src/block-pool.js';
import { HashChain } from '../src/hash-chain.js';
import { checkBookkeeping } from '../src/integrity.js';
import { SequenceBlocks } from '../src/sequence-blocks.js';

const groups: KvGroup[] = [{ kind: 'full', bytesPerBlock: 1 }];
const ID = 1 as SequenceId;

let pool: BlockPool;
let sequence: SequenceBlocks;
const check = () => checkBookkeeping({ pool, sequences: [sequence], groups, blockSize: 2 });

beforeEach(() => {
  pool = new BlockPool(4);
  const hasher = new BlockHasher(2, '');
  const chain = hasher.start(undefined, undefined);
  hasher.extend(chain, [1, 2], 1);
  sequence = new SequenceBlocks(ID, 1, chain);
  for (let i = 0; i < 2; i++) sequence.tables[0]!.push(pool.allocate());
  pool.index.insert(1 as BlockId, chain.words, HashChain.wordOf(0), 0);
  Object.assign(sequence, { numComputed: 3, numReserved: 3, numPublished: 1 });
});

it('finds nothing where all is well', () => {
  check();
});

it.each<[string, () => void]>([
  ['references differ from holders', () => pool.retain(2 as BlockId)],
  ['references differ from holders', () => pool.release(2 as BlockId)],
  ['block twice in a table', () => sequence.tables[0]!.set(1, 1 as BlockId)],
  ['block outside of the pool', () => sequence.tables[0]!.set(1, 9 as BlockId)],
  ['blocks are not the window', () => sequence.tables[0]!.set(0, 0 as BlockId)],
  ['table length is not exact', () => sequence.tables[0]!.push(pool.allocate())],
  ['computed beyond reserved', () => Object.assign(sequence, { numComputed: 4 })],
  ['full block not offered', () => Object.assign(sequence, { numPublished: 0 })],
  ['published without a hash', () => sequence.chain?.truncate(0)],
  ['full block is not published under its digest', () => pool.index.delete(1 as BlockId)],
  ['full block is not published under its digest', () => sequence.chain!.words.fill(7)],
])('names the damage: %s', (message, damage) => {
  damage();
  expect(check).toThrow(InvariantError);
  expect(check).toThrow(message);
});
