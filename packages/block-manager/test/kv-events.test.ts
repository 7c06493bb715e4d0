import type { KvCacheEvent } from '@kvasir/interfaces';
import { expect, it, vi } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { chainNames, rootName } from './model/names.js';
import { A, B, FULL, ids, run, visit } from './support/sequences.js';

const make = (numBlocks: number) =>
  createKvCacheManager({ numBlocks, blockSize: 2, groups: [FULL], hostTier: { numBlocks: 9 } });

it('tells what is stored, moved, removed and cleared', () => {
  const kv = make(3);
  const events: KvCacheEvent[] = [];
  kv.subscribe((event) => events.push(event));
  const names = chainNames(2, 'red', [1, 2, 3, 4]);
  visit(kv, A, ids(1, 2, 3, 4), { salt: 'red' });
  expect(events.splice(0)).toEqual([
    {
      type: 'stored',
      tier: 'pool',
      group: 0,
      hashes: names,
      blockSize: 2,
      parentHash: rootName(2, 'red'),
      tokenIds: [1, 2, 3, 4],
    },
  ]);
  run(kv, B, ids(9));
  expect(events.splice(0)).toEqual([
    { type: 'removed', tier: 'pool', group: 0, hashes: [names[1]] },
    { type: 'stored', tier: 'host', group: 0, hashes: [names[1]], blockSize: 2 },
  ]);
  kv.close(B);
  kv.resetPrefixCache();
  expect(events.splice(0)).toEqual([
    { type: 'cleared', tier: 'pool' },
    { type: 'cleared', tier: 'host' },
  ]);
});

it('names one by one what a reset takes while other content is held', () => {
  const kv = make(9);
  visit(kv, A, ids(5, 6));
  run(kv, B, ids(1, 2));
  const events: KvCacheEvent[] = [];
  kv.subscribe((event) => events.push(event));
  kv.resetPrefixCache();
  expect(events[0]).toMatchObject({ type: 'removed', tier: 'pool', hashes: chainNames(2, '', [5, 6]) });
});

it('ends with the subscription', () => {
  const kv = make(9);
  const listener = vi.fn();
  const end = kv.subscribe(listener);
  visit(kv, A, ids(1, 2));
  end();
  end();
  visit(kv, A, ids(3, 4));
  expect(listener).toHaveBeenCalledTimes(1);
});

it('drops a listener that throws, says so, and goes on', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const kv = make(9);
  const bad = vi.fn(() => {
    throw new Error('router is gone');
  });
  const good = vi.fn();
  kv.subscribe(bad);
  kv.subscribe(good);
  visit(kv, A, ids(1, 2));
  visit(kv, A, ids(3, 4));
  kv.checkIntegrity();
  expect(bad).toHaveBeenCalledTimes(1);
  expect(good).toHaveBeenCalledTimes(2);
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('router is gone'));
  warn.mockRestore();
});
