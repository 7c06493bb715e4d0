import { type BlockTransfer, KvasirError, type KvCacheManager, type SequenceId } from '@kvasir/interfaces';
import type fc from 'fast-check';
import { expect } from 'vitest';
import {
  assertInvariants,
  contentAt,
  firstVisiblePosition,
  type Model,
  type ModelSequence,
  noteTaken,
  reached,
} from '../model.js';

export type Real = KvCacheManager;

/** A command on the sequence that `pick` names modulo those alive, so that a shrunk case stays valid. */
abstract class OnSequence implements fc.Command<Model, Real> {
  readonly pick: number;
  protected resolved = '';

  constructor(pick: number) {
    this.pick = pick;
  }

  check(model: Readonly<Model>): boolean {
    return model.sequences.length > 0;
  }

  run(model: Model, real: Real): void {
    const sequence = model.sequences[this.pick % model.sequences.length]!;
    this.resolved = `${this.constructor.name}(s${sequence.id}`;
    this.act(sequence, model, real);
    this.resolved += ')';
    assertInvariants(model, real);
  }

  abstract act(sequence: ModelSequence, model: Model, real: Real): void;

  toString(): string {
    return this.resolved;
  }
}

export class Open implements fc.Command<Model, Real> {
  readonly tokens: readonly number[];
  readonly salt: string;
  readonly skip: boolean;

  constructor(tokens: readonly number[], salt: string, skip: boolean) {
    this.tokens = tokens;
    this.salt = salt;
    this.skip = skip;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const id = model.nextId++ as SequenceId;
    open(model, real, id, this.tokens, this.salt, this.skip);
    assertInvariants(model, real);
  }

  toString(): string {
    return `Open(${this.tokens.join('')}, '${this.salt}'${this.skip ? ', skip' : ''})`;
  }
}

function open(
  model: Model,
  real: Real,
  id: SequenceId,
  tokens: readonly number[],
  salt: string,
  skip: boolean,
): number {
  const keys = salt === '' ? {} : { salt };
  // A window of one token is met by any length: a hit may come before its parents were ever published.
  model.follower.learn(salt, tokens);
  // Any prefix may be prepared, none too.
  const numPrepared = id % (tokens.length + 1);
  const prepared = real.prepare(Int32Array.from(tokens.slice(0, numPrepared)), keys);
  const options = { ...keys, skipPrefixRead: skip, tenant: `t${id % 4}`, ...(numPrepared === 0 ? {} : { prepared }) };
  const hit = real.open(id, Int32Array.from(tokens), options);
  expect(hit % model.blockSize).toBe(0);
  expect(hit).toBeLessThanOrEqual(Math.max(0, tokens.length - 1));
  if (skip || !model.isCaching) expect(hit).toBe(0);
  model.sequences.push({ id, salt, tokens: [...tokens], computed: hit, written: hit });
  reached.opened++;
  if (hit > 0) reached.hits++;
  return hit;
}

/** Reserves and writes: what a submitted step does. Unknown tokens are made up as it goes. */
export class Write extends OnSequence {
  readonly next: readonly number[];

  constructor(pick: number, next: readonly number[]) {
    super(pick);
    this.next = next;
  }

  /** The device runs what the step carries. */
  protected transfer(transfers: readonly BlockTransfer[], model: Model): void {
    model.device.run(transfers);
  }

  act(sequence: ModelSequence, model: Model, real: Real): void {
    const end = sequence.written + this.next.length;
    this.resolved += `, ${this.next.join('')}`;
    const before = snapshot(model, real);
    const evictedBefore = real.stats().evictedBlocks;
    if (!real.reserve(sequence.id, end)) {
      reached.refused++;
      expect(snapshot(model, real)).toEqual(before);
      const touched = Math.ceil(end / model.blockSize) - Math.floor(sequence.computed / model.blockSize);
      expect(real.numFreeBlocks).toBeLessThan(touched * model.groups.length);
      return;
    }
    reached.evicted += real.stats().evictedBlocks - evictedBefore;
    const transfers = real.takeTransfers();
    this.transfer(transfers, model);
    noteTaken(model, real, transfers);
    for (let i = sequence.tokens.length; i < end; i++) sequence.tokens.push(this.next[i - sequence.written]!);
    const holders = countHolders(model, real);
    for (let position = sequence.written; position < end; position++) {
      model.groups.forEach((_, group) => {
        const table = real.table(sequence.id, group);
        expect(holders.get(table.ids[Math.floor(position / model.blockSize)]!)).toBe(1);
        model.device.write(table, position, contentAt(sequence, group, position));
      });
    }
    sequence.written = end;
    reached.written++;
  }
}

/** Commits come in the order of steps: none while one that has failed is not given up. */
export class Commit extends OnSequence {
  readonly part: number;

  override check(model: Readonly<Model>): boolean {
    return super.check(model) && model.failed === null;
  }

  constructor(pick: number, part: number) {
    super(pick);
    this.part = part;
  }

  act(sequence: ModelSequence, _model: Model, real: Real): void {
    const computed = Math.min(sequence.written, sequence.computed + this.part);
    this.resolved += `, ${computed}`;
    real.commit(sequence.id, sequence.tokens, computed);
    if (computed > sequence.computed) reached.committed++;
    sequence.computed = computed;
  }
}

/** A step from submit to commit, with nothing in between. */
export class Step extends Write {
  override act(sequence: ModelSequence, model: Model, real: Real): void {
    super.act(sequence, model, real);
    if (sequence.written === sequence.computed || model.failed !== null) return;
    real.commit(sequence.id, sequence.tokens, sequence.written);
    sequence.computed = sequence.written;
    reached.committed++;
  }
}

/** A sequence from open to close. */
export class Request implements fc.Command<Model, Real> {
  readonly tokens: readonly number[];
  readonly salt: string;

  constructor(tokens: readonly number[], salt: string) {
    this.tokens = tokens;
    this.salt = salt;
  }

  check(model: Readonly<Model>): boolean {
    return model.failed === null;
  }

  run(model: Model, real: Real): void {
    new Open(this.tokens, this.salt, false).run(model, real);
    const at = model.sequences.length - 1;
    const { tokens, written } = model.sequences[at]!;
    new Step(at, tokens.slice(written)).run(model, real);
    new Close(at).run(model, real);
  }

  toString(): string {
    return `Request(${this.tokens.join('')}, '${this.salt}')`;
  }
}

export class Truncate extends OnSequence {
  readonly back: number;

  constructor(pick: number, back: number) {
    super(pick);
    this.back = back;
  }

  act(sequence: ModelSequence, model: Model, real: Real): void {
    const end = Math.max(0, sequence.written - this.back);
    this.resolved += `, ${end}`;
    if (!isVisible(sequence, end, model, real)) {
      expectUnchanged(model, real, 'ERR_INVALID_ARGUMENT', () => real.truncate(sequence.id, end));
      return;
    }
    real.truncate(sequence.id, end);
    if (end < sequence.computed) reached.truncated++;
    sequence.tokens.length = Math.min(sequence.tokens.length, end);
    sequence.computed = Math.min(sequence.computed, end);
    sequence.written = end;
  }
}

export class Fork extends OnSequence {
  readonly back: number;

  constructor(pick: number, back: number) {
    super(pick);
    this.back = back;
  }

  act(parent: ModelSequence, model: Model, real: Real): void {
    const end = Math.max(0, parent.computed - this.back);
    const id = model.nextId++ as SequenceId;
    this.resolved += `, s${id}, ${end}`;
    if (!isVisible(parent, end, model, real)) {
      expectUnchanged(model, real, 'ERR_INVALID_ARGUMENT', () => real.fork(parent.id, id, end));
      return;
    }
    real.fork(parent.id, id, end);
    model.sequences.push({ ...parent, id, tokens: parent.tokens.slice(0, end), computed: end, written: end });
    reached.forked++;
  }
}

/** A beam splits: two continuations of one sequence, each by its own tokens. */
export class Branch extends Fork {
  readonly next: readonly number[];

  constructor(pick: number, back: number, next: readonly number[]) {
    super(pick, back);
    this.next = next;
  }

  override run(model: Model, real: Real): void {
    const numBefore = model.sequences.length;
    super.run(model, real);
    if (model.sequences.length === numBefore) return;
    new Step(numBefore, this.next).run(model, real);
    new Step(this.pick % numBefore, [0]).run(model, real);
  }
}

export class Close extends OnSequence {
  act(sequence: ModelSequence, model: Model, real: Real): void {
    real.close(sequence.id);
    model.sequences.splice(model.sequences.indexOf(sequence), 1);
  }
}

/** Preemption and resume: with full attention everything that was committed comes back at once. */
export class Reopen extends OnSequence {
  act(sequence: ModelSequence, model: Model, real: Real): void {
    real.close(sequence.id);
    model.sequences.splice(model.sequences.indexOf(sequence), 1);
    const hit = open(model, real, sequence.id, sequence.tokens, sequence.salt, false);
    if (!model.isCaching || model.groups.some((group) => group.kind === 'window')) return;
    const most = Math.min(sequence.computed, sequence.tokens.length - 1);
    expect(hit).toBeGreaterThanOrEqual(Math.max(0, Math.floor(most / model.blockSize)) * model.blockSize);
  }
}

export class Sent extends OnSequence {
  act(sequence: ModelSequence, model: Model, real: Real): void {
    real.markSent(sequence.id);
    model.groups.forEach((_, group) => {
      const table = real.table(sequence.id, group);
      expect(table.dirtyFrom).toBe(table.length);
    });
  }
}

/** A row of drafts: room for all of them, and back to those that were accepted. */
export class Draft extends Write {
  readonly numRejected: number;

  constructor(pick: number, next: readonly number[], numRejected: number) {
    super(pick, next);
    this.numRejected = Math.min(numRejected, next.length - 1);
  }

  override check(model: Readonly<Model>): boolean {
    return super.check(model) && model.failed === null;
  }

  override act(sequence: ModelSequence, model: Model, real: Real): void {
    const before = sequence.written;
    super.act(sequence, model, real);
    if (sequence.written === before) return;
    const end = sequence.written - this.numRejected;
    real.commit(sequence.id, sequence.tokens, end);
    real.truncate(sequence.id, end);
    sequence.tokens.length = end;
    sequence.computed = end;
    sequence.written = end;
    reached.drafted++;
  }
}

/** Calls that a confused caller makes: a typed error, and nothing has changed. */
export class Misuse extends OnSequence {
  act(sequence: ModelSequence, model: Model, real: Real): void {
    const unknown = 999_999 as SequenceId;
    const beyond = sequence.written + 10 * model.blockSize;
    const tokens = new Int32Array(beyond);
    const cases: [string, () => unknown][] = [
      ['ERR_UNKNOWN_SEQUENCE', () => real.reserve(unknown, 1)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.commit(unknown, [0], 1)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.truncate(unknown, 0)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.fork(unknown, (unknown + 1) as SequenceId, 0)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.close(unknown)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.table(unknown, 0)],
      ['ERR_UNKNOWN_SEQUENCE', () => real.markSent(unknown)],
      ['ERR_DUPLICATE_SEQUENCE', () => real.open(sequence.id, tokens)],
      ['ERR_DUPLICATE_SEQUENCE', () => real.fork(sequence.id, sequence.id, 0)],
      ['ERR_INVALID_ARGUMENT', () => real.reserve(sequence.id, -1)],
      ['ERR_INVALID_ARGUMENT', () => real.reserve(sequence.id, 0.5)],
      ['ERR_INVALID_ARGUMENT', () => real.commit(sequence.id, tokens, beyond)],
      ['ERR_INVALID_ARGUMENT', () => real.commit(sequence.id, tokens, sequence.computed - 1)],
      ['ERR_INVALID_ARGUMENT', () => real.truncate(sequence.id, beyond)],
      ['ERR_INVALID_ARGUMENT', () => real.fork(sequence.id, unknown, sequence.computed + 1)],
      ['ERR_INVALID_ARGUMENT', () => real.table(sequence.id, model.groups.length)],
    ];
    for (const [code, misuse] of cases) expectUnchanged(model, real, code, misuse);
    reached.misused++;
  }
}

function expectUnchanged(model: Model, real: Real, code: string, misuse: () => unknown): void {
  const before = snapshot(model, real);
  let thrown: unknown;
  try {
    misuse();
  } catch (error) {
    thrown = error;
  }
  expect(KvasirError.isInstance(thrown, code), `${misuse} threw ${thrown}`).toBe(true);
  expect(snapshot(model, real)).toEqual(before);
}

function snapshot(model: Model, real: Real): unknown {
  const tables = model.sequences.map(({ id }) =>
    model.groups.map((_, group) => {
      const { ids, length, dirtyFrom } = real.table(id, group);
      return [Array.from(ids.subarray(0, length)), dirtyFrom];
    }),
  );
  return { tables, stats: real.stats() };
}

function countHolders(model: Model, real: Real): Map<number, number> {
  const holders = new Map<number, number>();
  for (const { id } of model.sequences) {
    model.groups.forEach((_, group) => {
      const { ids, length } = real.table(id, group);
      for (const block of ids.subarray(0, length)) holders.set(block, (holders.get(block) ?? 0) + 1);
    });
  }
  return holders;
}

/** Whether a query at `end` would still find all blocks that it sees. */
function isVisible(sequence: ModelSequence, end: number, model: Model, real: Real): boolean {
  return model.groups.every((group, index) => {
    const first = Math.floor(firstVisiblePosition(group, end) / model.blockSize);
    const needed = real
      .table(sequence.id, index)
      .ids.subarray(first, Math.max(first, Math.ceil(end / model.blockSize)));
    return !needed.includes(0);
  });
}
