import type {
  BlockExport,
  BlockImport,
  BlockTransfer,
  KvCacheManager,
  KvCacheTier,
  KvGroup,
  NamedBlock,
  SequenceId,
} from '@kvasir/interfaces';
import { NULL_BLOCK } from '@kvasir/interfaces';
import { expect } from 'vitest';
import { Device } from './device.js';
import { Follower } from './follower.js';

const SALTS = ['', 'tenant'] as const;

/** One live sequence as anyone would describe it. */
export interface ModelSequence {
  readonly id: SequenceId;
  readonly salt: string;
  /** Known tokens; `[0, computed)` are committed, `[computed, written)` written by steps in flight. */
  tokens: number[];
  computed: number;
  written: number;
}

/** A step that has failed, which the manager has not been told yet. */
interface FailedStep {
  readonly transfers: readonly BlockTransfer[];
  readonly sequence: SequenceId | null;
}

/** The obvious model: token lists, and a device that remembers what was written where. */
export interface Model {
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  readonly isCaching: boolean;
  readonly sequences: ModelSequence[];
  readonly device: Device;
  readonly follower: Follower;
  /** Names that each pin wants. */
  readonly pins: Map<string, ReadonlySet<string>>;
  readonly exports: BlockExport[];
  readonly imports: { readonly real: BlockImport; readonly present: readonly NamedBlock[] }[];
  failed: FailedStep | null;
  /** Blocks loaded by transfers that have run. */
  numLoaded: number;
  nextId: number;
}

/** How often the interesting things happened, over all runs. */
export const reached = {
  opened: 0,
  hits: 0,
  written: 0,
  committed: 0,
  forked: 0,
  copied: 0,
  truncated: 0,
  drafted: 0,
  refused: 0,
  evicted: 0,
  behindWindow: 0,
  misused: 0,
  stored: 0,
  loaded: 0,
  evictedFromHost: 0,
  notWorth: 0,
  failed: 0,
  spoilt: 0,
  pinned: 0,
  pinRefused: 0,
  exported: 0,
  imported: 0,
};

export function createModel(groups: readonly KvGroup[], blockSize: number, isCaching: boolean): Model {
  return {
    groups,
    blockSize,
    isCaching,
    sequences: [],
    device: new Device(blockSize),
    follower: new Follower(groups, blockSize, SALTS),
    pins: new Map(),
    exports: [],
    imports: [],
    failed: null,
    numLoaded: 0,
    nextId: 1,
  };
}

/** What a cell must hold: everything that its keys and values depend on. */
export function contentOf(salt: string, group: number, tokens: readonly number[], position: number): string {
  return `${salt}|${group}|${tokens.slice(0, position + 1).join('')}`;
}

export function contentAt(sequence: ModelSequence, group: number, position: number): string {
  return contentOf(sequence.salt, group, sequence.tokens, position);
}

export function firstVisiblePosition(group: KvGroup, computed: number): number {
  return group.kind === 'full' ? 0 : Math.max(0, computed - group.window! + 1);
}

/** Takes what a step carries and runs it. */
export function settle(model: Model, real: KvCacheManager): void {
  const transfers = real.takeTransfers();
  model.device.run(transfers);
  noteTaken(model, real, transfers);
}

export function noteTaken(model: Model, real: KvCacheManager, transfers: readonly BlockTransfer[]): void {
  for (const { op } of transfers) reached[op === 'copy' ? 'copied' : op === 'load' ? 'loaded' : 'stored']++;
  model.numLoaded = real.stats().hostTier?.loadedBlocks ?? 0;
}

/** All that must hold between two commands. */
export function assertInvariants(model: Model, real: KvCacheManager): void {
  real.checkIntegrity();
  expect(model.follower.violations).toEqual([]);
  const cached = { pool: [...real.cachedBlocks('pool')], host: [...real.cachedBlocks('host')] };
  for (const tier of ['pool', 'host'] as const) {
    const names = cached[tier].map(nameOf);
    const follower = model.follower.tiers[tier];
    if (names.length !== follower.size || names.some((name) => !follower.has(name))) {
      expect(follower).toEqual(new Set(names));
    }
  }
  const held = heldByOthers(model, cached.pool);
  const isSettled = model.failed === null && model.numLoaded === (real.stats().hostTier?.loadedBlocks ?? 0);
  if (isSettled) for (const tier of ['pool', 'host'] as const) assertNamedContent(model, tier, cached[tier]);
  for (const sequence of model.sequences) assertTables(model, real, sequence, isSettled, held);
  expect(real.numFreeBlocks).toBe(real.numBlocks - held.size);
  if (model.failed === null) assertCounts(model, real, cached.pool, held);
}

export function nameOf({ hash, group }: { hash: string; group: number }): string {
  return `${hash}:${group}`;
}

/** Whatever can be found holds what its name says. */
function assertNamedContent(model: Model, tier: KvCacheTier, blocks: readonly NamedBlock[]): void {
  const wrong: string[] = [];
  for (const { hash, group, block } of blocks) {
    const { salt, tokens } = model.follower.contentOf(hash);
    for (let offset = 0; offset < model.blockSize; offset++) {
      const position = tokens.length - model.blockSize + offset;
      const found = model.device.readCell(tier, block, offset);
      const expected = contentOf(salt, group, tokens, position);
      if (found !== expected) wrong.push(`${tier} block ${block}: ${found}, expected ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
}

function assertTables(
  model: Model,
  real: KvCacheManager,
  sequence: ModelSequence,
  isSettled: boolean,
  held: Set<number>,
): void {
  const wrong: string[] = [];
  model.groups.forEach((group, index) => {
    const table = real.table(sequence.id, index);
    const own = Array.from(table.ids.subarray(0, table.length)).filter((block) => block !== NULL_BLOCK);
    if (new Set(own).size !== own.length) wrong.push(`group ${index} has a block twice`);
    if (table.length < Math.ceil(sequence.written / model.blockSize)) wrong.push(`table ${index} is too short`);
    for (const block of own) {
      if (block < 0 || block > real.numBlocks) wrong.push(`block ${block} is not of the pool`);
      held.add(block);
    }
    if (own.length < table.length) reached.behindWindow++;
    if (!isSettled) return;
    for (let position = firstVisiblePosition(group, sequence.computed); position < sequence.written; position++) {
      const found = model.device.read(table, position);
      const expected = contentAt(sequence, index, position);
      if (found !== expected) wrong.push(`position ${position} of group ${index}: ${found}, expected ${expected}`);
    }
  });
  expect(wrong).toEqual([]);
}

/** Blocks of pins, exports and imports. */
function heldByOthers(model: Model, pool: readonly NamedBlock[]): Set<number> {
  const pinned = new Set([...model.pins.values()].flatMap((names) => [...names]));
  const held = new Set<number>(pool.filter((named) => pinned.has(nameOf(named))).map(({ block }) => block));
  for (const { blocks } of model.exports) for (const { block } of blocks) held.add(block);
  for (const { real, present } of model.imports) for (const { block } of [...real.blocks, ...present]) held.add(block);
  return held;
}

function assertCounts(model: Model, real: KvCacheManager, pool: readonly NamedBlock[], held: Set<number>): void {
  const stats = real.stats();
  const tenants = [...stats.tenants.values()];
  const sum = (of: (tenant: (typeof tenants)[number]) => number) =>
    tenants.reduce((total, each) => total + of(each), 0);
  expect(sum(({ queriedTokens }) => queriedTokens)).toBe(stats.prefixQueriedTokens);
  expect(sum(({ hitTokens }) => hitTokens)).toBe(stats.prefixHitTokens);
  expect(sum(({ evictedBlocks }) => evictedBlocks)).toBe(stats.evictedBlocks);

  const stored = new Set<string>();
  const add = (block: number, offset: number) => stored.add(`${block}.${offset}`);
  for (const { block } of pool) {
    if (held.has(block)) for (let offset = 0; offset < model.blockSize; offset++) add(block, offset);
  }
  for (const { id, computed } of model.sequences) {
    model.groups.forEach((_, group) => {
      const { ids } = real.table(id, group);
      for (let position = 0; position < computed; position++) {
        const block = ids[Math.floor(position / model.blockSize)]!;
        if (block !== NULL_BLOCK) add(block, position % model.blockSize);
      }
    });
  }
  expect(real.usage()).toEqual({ heldTokens: held.size * model.blockSize, storedTokens: stored.size });
}
