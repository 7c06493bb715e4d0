import {
  InvalidArgumentError,
  InvariantError,
  type KvCacheManager,
  NULL_BLOCK,
  type SequenceSpec,
} from '@kvasir/interfaces';
import type { ScheduledSequence } from './scheduled-sequence.js';
import type { WaitingQueue } from './waiting-queue.js';

/**
 * Sequences that are to share the blocks of another.
 *
 * ```
 * deferred   its parent has not computed what they share: in no queue
 * queued     it has: in the waiting queue, linked to the parent until admitted
 * unlinked   the parent is gone, or the sequence was admitted once: like any other
 * ```
 */
export class Forks {
  readonly #waiting: WaitingQueue;
  #numDeferred = 0;

  constructor(waiting: WaitingQueue) {
    this.#waiting = waiting;
  }

  get numDeferred(): number {
    return this.#numDeferred;
  }

  /** Links a new sequence to `parent`; it is queued now, or once {@link Forks.advance} finds that it is due. */
  link(child: ScheduledSequence, parent: ScheduledSequence): void {
    // What is parked computes no more.
    if (parent.status === 'ended' || (parent.status === 'parked' && !isDue(child, parent))) {
      this.#waiting.push(child);
      return;
    }
    child.parent = parent;
    parent.forks ??= new Set();
    parent.forks.add(child);
    if (isDue(child, parent)) this.#waiting.push(child);
    else this.#numDeferred++;
  }

  /** Queues the forks for which `parent` has computed enough. */
  advance(parent: ScheduledSequence): void {
    if (parent.forks === null) return;
    for (const child of parent.forks) {
      if (child.isQueued || !isDue(child, parent)) continue;
      this.#numDeferred--;
      this.#waiting.push(child);
    }
  }

  /** Takes a sequence that ends before it was admitted out of its queue. */
  withdraw(child: ScheduledSequence): void {
    if (child.isQueued) this.#waiting.remove(child);
    else this.#numDeferred--;
  }

  /** @returns The parent that `child` was linked to. */
  unlink(child: ScheduledSequence): ScheduledSequence | null {
    const { parent } = child;
    if (parent === null) return null;
    child.parent = null;
    parent.forks?.delete(child);
    if (parent.forks?.size === 0) parent.forks = null;
    return parent;
  }

  /** `parent` computes no more: deferred forks are queued as sequences like any other. */
  release(parent: ScheduledSequence): void {
    if (parent.forks === null) return;
    for (const child of parent.forks) {
      if (child.isQueued) continue;
      this.unlink(child);
      this.#numDeferred--;
      this.#waiting.push(child);
    }
  }

  /** `parent` has given up its blocks. */
  orphan(parent: ScheduledSequence): void {
    this.release(parent);
    if (parent.forks === null) return;
    for (const child of parent.forks) this.unlink(child);
  }

  checkIntegrity(sequences: Iterable<ScheduledSequence>): void {
    let numDeferred = 0;
    for (const sequence of sequences) {
      const { id, parent, status, isQueued } = sequence;
      if (status === 'waiting' && !isQueued) numDeferred++;
      if (parent === null) continue;
      const facts = { sequence: id, parent: parent.id, status, isQueued, parentStatus: parent.status };
      if (status !== 'waiting' || parent.forks?.has(sequence) !== true) {
        throw new InvariantError('a fork is linked from one side only', facts);
      }
      if (parent.status === 'ended') throw new InvariantError('a fork waits for one that is gone', facts);
      if (!isQueued && isDue(sequence, parent)) throw new InvariantError('a fork is due but not queued', facts);
    }
    if (numDeferred !== this.#numDeferred) {
      throw new InvariantError('deferred forks were miscounted', { numDeferred, counted: this.#numDeferred });
    }
  }
}

/** Tokens that a fork shares with its parent. */
export function numSharedTokens(child: ScheduledSequence): number {
  return child.spec.promptTokenIds.length - 1;
}

function isDue(child: ScheduledSequence, parent: ScheduledSequence): boolean {
  return parent.numComputed >= numSharedTokens(child);
}

/** Whether the parent of `child` still has the blocks that the fork needs, those within windows included. */
export function canFork(kvCache: KvCacheManager, child: ScheduledSequence): boolean {
  const { parent } = child;
  if (parent === null || (parent.status !== 'running' && parent.status !== 'parked')) return false;
  const numTokens = numSharedTokens(child);
  if (parent.numComputed < numTokens) return false;
  for (let group = 0; group < kvCache.groups.length; group++) {
    const { window } = kvCache.groups[group]!;
    if (window === undefined) continue;
    const first = Math.floor(Math.max(0, numTokens - window + 1) / kvCache.blockSize);
    const needsBlocks = first < Math.ceil(numTokens / kvCache.blockSize);
    if (needsBlocks && kvCache.table(parent.id, group).ids[first] === NULL_BLOCK) return false;
  }
  return true;
}

/** @throws `InvalidArgumentError` for a fork that does not begin as `parent` does. */
export function checkFork(spec: SequenceSpec, parent: ScheduledSequence): void {
  const { promptTokenIds } = spec;
  const numTokens = promptTokenIds.length - 1;
  if (spec.salt !== parent.spec.salt || spec.extraKey !== parent.spec.extraKey) {
    throw badFork(spec, 'has another salt or extra key: expected those of the sequence that it forks');
  }
  if (numTokens > parent.length) {
    throw badFork(spec, `shares ${numTokens} tokens: expected at most the ${parent.length} that are known there`);
  }
  for (let i = 0; i < numTokens; i++) {
    const expected = parent.tokens[i];
    if (promptTokenIds[i] === expected) continue;
    throw badFork(
      spec,
      `has token ${promptTokenIds[i]} at ${i}: expected ${expected}, all but its last token in common`,
    );
  }
}

function badFork({ id, forkOf }: SequenceSpec, what: string): InvalidArgumentError {
  return new InvalidArgumentError('forkOf', `sequence ${id}, a fork of ${forkOf}, ${what}`);
}
