import type { BlockTransfer, SequenceId } from '@kvasir/interfaces';
import type fc from 'fast-check';
import { expect } from 'vitest';
import { assertInvariants, type Model, type ModelSequence, noteTaken, reached, settle } from '../model.js';
import { type Real, Write } from './sequence-commands.js';

/** A step of others: transfers that were decided run. */
export class Settle implements fc.Command<Model, Real> {
  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    settle(model, real);
    assertInvariants(model, real);
  }

  toString(): string {
    return 'Settle()';
  }
}

/** A step whose transfers and writes never happen. Nobody knows yet: further steps may run before `Abandon`. */
export class FailingWrite extends Write {
  #transfers: readonly BlockTransfer[] = [];

  override check(model: Readonly<Model>): boolean {
    return super.check(model) && model.failed === null;
  }

  protected override transfer(transfers: readonly BlockTransfer[], model: Model): void {
    model.device.lose(transfers);
    this.#transfers = transfers;
    model.failed = { transfers, sequence: null };
  }

  override act(sequence: ModelSequence, model: Model, real: Real): void {
    super.act(sequence, model, real);
    if (model.failed === null) return;
    model.failed = { transfers: this.#transfers, sequence: sequence.id };
    reached.failed++;
  }
}

/** A step of others fails. */
export class LoseTransfers implements fc.Command<Model, Real> {
  check(model: Readonly<Model>): boolean {
    return model.failed === null;
  }

  run(model: Model, real: Real): void {
    const transfers = real.takeTransfers();
    if (transfers.length === 0) return;
    model.device.lose(transfers);
    noteTaken(model, real, transfers);
    model.failed = { transfers, sequence: null };
    reached.failed++;
    assertInvariants(model, real);
  }

  toString(): string {
    return 'LoseTransfers()';
  }
}

/** The failure arrives: its sequences end, and those that have read what it should have brought. */
export class Abandon implements fc.Command<Model, Real> {
  check(model: Readonly<Model>): boolean {
    return model.failed !== null;
  }

  run(model: Model, real: Real): void {
    abandon(model, real);
    assertInvariants(model, real);
  }

  toString(): string {
    return 'Abandon()';
  }
}

export function abandon(model: Model, real: Real): void {
  const { transfers, sequence } = model.failed!;
  model.follower.isUpheaval = true;
  const spoilt = real.abandonTransfers(transfers);
  if (transfers.length === 0) expect(spoilt).toEqual([]);
  real.checkIntegrity();
  for (const id of spoilt) {
    expect(() => real.commit(id, [], 0)).toThrow(/abandoned/);
    reached.spoilt++;
  }
  for (const id of new Set([...spoilt, sequence])) close(id, model, real);
  model.follower.isUpheaval = false;
  model.failed = null;
  // What is left of the transfers may hang on the failed ones; it runs all the same.
  settle(model, real);
}

function close(id: SequenceId | null, model: Model, real: Real): void {
  const at = model.sequences.findIndex((each) => each.id === id);
  if (at < 0) return;
  real.close(model.sequences[at]!.id);
  model.sequences.splice(at, 1);
}
