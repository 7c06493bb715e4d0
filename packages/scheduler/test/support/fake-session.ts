import type { KvCacheManager, RowOutcome, SequenceId, SequenceSpec, SlotId, StepPlan } from '@kvasir/interfaces';
import { EOS, nextToken } from './pseudo-model.js';

interface SlotState {
  readonly sequence: SequenceId;
  readonly spec: SequenceSpec;
  readonly tokens: number[];
  numComputed: number;
  hasEnded: boolean;
}

/**
 * Stands for a backend session: slots with histories, and a device whose cells remember which history they were computed
 * from. It reads a prefix only through the block tables, and throws when a cell that a row sees holds anything else.
 */
export class FakeSession {
  readonly slots = new Map<SlotId, SlotState>();
  readonly #kvCache: KvCacheManager;
  readonly #cells = new Map<number, string>();
  readonly #specs: ReadonlyMap<SequenceId, SequenceSpec>;
  /** Prompt and output of each sequence, as a caller knows them. */
  readonly #histories: ReadonlyMap<SequenceId, readonly number[]>;

  constructor(
    kvCache: KvCacheManager,
    specs: ReadonlyMap<SequenceId, SequenceSpec>,
    histories: ReadonlyMap<SequenceId, readonly number[]>,
  ) {
    this.#kvCache = kvCache;
    this.#specs = specs;
    this.#histories = histories;
  }

  /** Runs a step; steps run in the order of submission, before or after earlier ones are committed. */
  submit(plan: StepPlan): RowOutcome[] {
    for (const slot of plan.releasedSlots) {
      if (!this.slots.delete(slot)) throw new Error(`slot ${slot} is released but was not started`);
    }
    for (const { src, dst } of this.#kvCache.takeTransfers()) this.#copy(src, dst);
    return plan.rows.map((row) => {
      if (row.starts) {
        if (this.slots.has(row.slot)) throw new Error(`slot ${row.slot} is started twice`);
        const tokens = [...this.#histories.get(row.sequence)!];
        const spec = this.#specs.get(row.sequence)!;
        this.slots.set(row.slot, {
          sequence: row.sequence,
          spec,
          tokens,
          numComputed: row.numCachedTokens,
          hasEnded: false,
        });
      }
      return this.#run(row);
    });
  }

  #run(row: StepPlan['rows'][number]): RowOutcome {
    const slot = this.slots.get(row.slot);
    if (slot === undefined || slot.sequence !== row.sequence) throw new Error(`row ${row.sequence} in a foreign slot`);
    if (slot.hasEnded) return { tokenIds: [], numAccepted: 0, ended: false };
    if (row.start !== slot.numComputed) throw new Error(`row starts at ${row.start}, computed ${slot.numComputed}`);

    const inputs = [...slot.tokens.slice(0, row.start + row.numQuery - row.drafts.length), ...row.drafts];
    if (inputs.length !== row.start + row.numQuery) throw new Error('row runs past the known tokens');
    const reachesEnd = row.start + row.numQuery - row.drafts.length === slot.tokens.length;
    if (reachesEnd !== row.samples) throw new Error(`row samples: ${row.samples}, reaches the end: ${reachesEnd}`);
    this.#attend(row.sequence, slot, inputs, row.start);
    slot.numComputed = inputs.length;
    if (!row.samples) return { tokenIds: [], numAccepted: 0, ended: false };

    const tokenIds: number[] = [];
    let numAccepted = 0;
    for (let i = 0; i <= row.drafts.length && !slot.hasEnded; i++) {
      const token = nextToken(slot.tokens, slot.tokens.length);
      slot.tokens.push(token);
      tokenIds.push(token);
      slot.hasEnded = token === EOS || slot.tokens.length === slot.spec.maxLength;
      if (token !== row.drafts[i]) break;
      numAccepted++;
    }
    slot.numComputed = slot.tokens.length - 1;
    return { tokenIds, numAccepted, ended: slot.hasEnded };
  }

  /** Writes the row's cells, then reads all that its last token sees. */
  #attend(sequence: SequenceId, slot: SlotState, inputs: readonly number[], start: number): void {
    const key = slot.spec.salt ?? '';
    this.#kvCache.groups.forEach((group, index) => {
      for (let position = start; position < inputs.length; position++) {
        const content = `${key}|${index}|${inputs.slice(0, position + 1).join()}`;
        this.#cells.set(this.#cell(sequence, index, position), content);
      }
      const first = group.kind === 'full' ? 0 : Math.max(0, start + 1 - group.window!);
      for (let position = first; position < inputs.length; position++) {
        const expected = `${key}|${index}|${inputs.slice(0, position + 1).join()}`;
        const found = this.#cells.get(this.#cell(sequence, index, position));
        if (found !== expected) throw new Error(`position ${position} of ${sequence}: ${found}, expected ${expected}`);
      }
    });
  }

  #cell(sequence: SequenceId, group: number, position: number): number {
    const { blockSize } = this.#kvCache;
    const table = this.#kvCache.table(sequence, group);
    const block = table.ids[Math.floor(position / blockSize)]!;
    if (block === 0 || Math.floor(position / blockSize) >= table.length) throw new Error(`no block at ${position}`);
    return block * blockSize + (position % blockSize);
  }

  #copy(src: number, dst: number): void {
    const { blockSize } = this.#kvCache;
    for (let offset = 0; offset < blockSize; offset++) {
      const content = this.#cells.get(src * blockSize + offset);
      if (content !== undefined) this.#cells.set(dst * blockSize + offset, content);
    }
  }
}
