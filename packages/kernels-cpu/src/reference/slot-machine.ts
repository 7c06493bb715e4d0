import { type DecoderProgram, END_REASON, type SessionOptions, SLOT_OP, type StepBatch } from '@kvasir/interfaces';
import { InvalidStepError } from './invalid-step-error.js';
import { readStep } from './read-step.js';
import { cloneSlot, type Slot, startSlot } from './slot.js';
import { checkInit, checkLimits, checkOutputs, checkTables, checkToken, checkTransfers } from './step-checks.js';
import type { OutputRecord, RowRecord, SlotOpRecord, StepRecords, TableUpdateRecord } from './step-records.js';

/** One row, ready to run: the tokens to compute and where they stand. */
export interface StagedRow {
  readonly slotId: number;
  readonly slot: Slot;
  readonly program: DecoderProgram;
  /** Position of `tokens[0]`. */
  readonly start: number;
  /** Known tokens, then drafts; empty when skipped. */
  readonly tokens: readonly number[];
  readonly drafts: readonly number[];
  /** The slot had ended before this step: nothing is done. */
  readonly skipped: boolean;
  /** In the order of the batch; the index is that of the output in the batch. */
  readonly outputs: readonly { readonly index: number; readonly record: OutputRecord }[];
}

/** A step whose slot ops and table updates were applied to copies. {@link SlotMachine.publish} makes them real. */
export interface StagedStep {
  readonly records: StepRecords;
  readonly rows: readonly StagedRow[];
  /** Slots as they are after the step, as far as it touches them; `undefined` is released. */
  readonly slots: ReadonlyMap<number, Slot | undefined>;
}

/**
 * The slots of a session, and what a `StepBatch` does to them: the executable text of the contract.
 *
 * A step is staged on copies, computed, then published; until then the machine is unchanged, so a failed step leaves no trace.
 */
export class SlotMachine {
  readonly #options: SessionOptions;
  readonly #slots = new Map<number, Slot>();
  #lastStepId = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Slots in use. */
  get numSlots(): number {
    return this.#slots.size;
  }

  /** The published state of a slot. */
  slot(id: number): Slot | undefined {
    return this.#slots.get(id);
  }

  /** @throws {@link InvalidStepError} For a batch that breaks the layout, a limit or a reference; nothing has changed. */
  stage(batch: StepBatch): StagedStep {
    const records = readStep(batch);
    if (records.stepId <= this.#lastStepId) {
      throw new InvalidStepError(`stepId is ${records.stepId}: expected more than ${this.#lastStepId}, the last one`);
    }
    const staged = new Map<number, Slot | undefined>();
    for (const op of records.slotOps) this.#applySlotOp(op, staged);
    for (const update of records.tableUpdates) this.#applyTableUpdate(update, staged);
    checkTransfers(records, this.#options);
    checkLimits(records, this.#options);
    const rows = records.rows.map((row, index) => this.#stageRow(row, index, records, staged));
    if (new Set(rows.map((row) => row.slotId)).size < rows.length) {
      throw new InvalidStepError('a slot has two rows in one step: expected at most one');
    }
    return { records, rows, slots: staged };
  }

  /** Makes a staged step the state of the slots. */
  publish(step: StagedStep): void {
    this.#lastStepId = step.records.stepId;
    for (const [id, slot] of step.slots) {
      if (slot === undefined) this.#slots.delete(id);
      else this.#slots.set(id, slot);
    }
  }

  #applySlotOp(op: SlotOpRecord, staged: Map<number, Slot | undefined>): void {
    const { maxSlots } = this.#options;
    if (op.slot < 0 || op.slot >= maxSlots) {
      throw new InvalidStepError(`slot is ${op.slot}: expected 0 to ${maxSlots - 1}`);
    }
    const starts = op.op === SLOT_OP.init || op.op === SLOT_OP.fork;
    if (starts && this.#find(op.slot, staged) !== undefined) {
      throw new InvalidStepError(`slot ${op.slot} is in use: release it before it starts again`);
    }
    if (op.op === SLOT_OP.init) {
      const program = this.#program(op.program);
      checkInit(op, program, this.#options.maxModelLen);
      staged.set(op.slot, startSlot(op, program.kvGroups.length));
    } else if (op.op === SLOT_OP.fork) {
      const copy = cloneSlot(this.#touch(op.source, staged));
      copy.sampling = { ...copy.sampling, seed: op.seed };
      for (const table of copy.tables) table.length = 0;
      staged.set(op.slot, copy);
    } else if (op.op === SLOT_OP.truncate) {
      truncate(this.#touch(op.slot, staged), op);
    } else {
      this.#touch(op.slot, staged);
      staged.set(op.slot, undefined);
    }
  }

  #applyTableUpdate(update: TableUpdateRecord, staged: Map<number, Slot | undefined>): void {
    const table = this.#touch(update.slot, staged).tables[update.group];
    const at = `table ${update.group} of slot ${update.slot}`;
    if (table === undefined) throw new InvalidStepError(`${at}: no such KV group`);
    const maxEntries = Math.ceil(this.#options.maxModelLen / this.#options.blockSize);
    if (update.start < 0 || update.start > table.length || update.start + update.ids.length > maxEntries) {
      throw new InvalidStepError(
        `${at}: entries [${update.start}, ${update.start + update.ids.length}), expected a start up to ${table.length} and an end up to ${maxEntries}`,
      );
    }
    for (const id of update.ids) {
      if (id < 0 || id >= this.#options.numBlocks) {
        throw new InvalidStepError(`${at}: block ${id}, expected 0 to ${this.#options.numBlocks - 1}`);
      }
    }
    update.ids.forEach((id, index) => {
      table[update.start + index] = id;
    });
  }

  #stageRow(row: RowRecord, index: number, records: StepRecords, staged: Map<number, Slot | undefined>): StagedRow {
    const slot = this.#touch(row.slot, staged);
    const program = this.#program(slot.program);
    const outputs = records.outputs
      .map((record, output) => ({ index: output, record }))
      .filter(({ record }) => record.row === index);
    const skipped = slot.endReason !== END_REASON.none;
    const base = { slotId: row.slot, slot, program, start: slot.numComputed, skipped, outputs };
    if (skipped) return { ...base, tokens: [], drafts: [] };
    const drafts = [...row.drafts];
    const numKnown = row.numQuery - drafts.length;
    const end = base.start + numKnown;
    const at = `rows[${index}] of slot ${row.slot}`;
    for (const id of drafts) checkToken(id, program.vocabSize, at);
    if (end > slot.history.length || (drafts.length > 0 && end !== slot.history.length)) {
      throw new InvalidStepError(
        `${at}: known tokens [${base.start}, ${end}) with ${drafts.length} drafts, the history has ${slot.history.length}`,
      );
    }
    if (end + drafts.length > this.#options.maxModelLen) {
      throw new InvalidStepError(`${at}: ${end + drafts.length} tokens, expected at most ${this.#options.maxModelLen}`);
    }
    checkTables(slot, program, end + drafts.length, this.#options.blockSize, at);
    checkOutputs(row, end === slot.history.length, outputs, records, program, at);
    return { ...base, tokens: [...slot.history.slice(base.start, end), ...drafts], drafts };
  }

  #program(index: number): DecoderProgram {
    const program = this.#options.programs[index];
    if (program === undefined) {
      throw new InvalidStepError(`program is ${index}: the session has ${this.#options.programs.length}`);
    }
    return program;
  }

  #find(id: number, staged: Map<number, Slot | undefined>): Slot | undefined {
    return staged.has(id) ? staged.get(id) : this.#slots.get(id);
  }

  /** The staged copy of a slot in use. */
  #touch(id: number, staged: Map<number, Slot | undefined>): Slot {
    const slot = this.#find(id, staged);
    if (slot === undefined) throw new InvalidStepError(`slot ${id} is not in use: start it by init or fork`);
    if (staged.has(id)) return slot;
    const copy = cloneSlot(slot);
    staged.set(id, copy);
    return copy;
  }
}

/** Also revives a slot that had ended. */
function truncate(slot: Slot, op: SlotOpRecord): void {
  if (
    op.historyLength < 1 ||
    op.historyLength > slot.history.length ||
    op.numComputed < 0 ||
    op.numComputed > Math.min(slot.numComputed, op.historyLength)
  ) {
    throw new InvalidStepError(
      `truncate of slot ${op.slot} to ${op.historyLength} tokens, ${op.numComputed} computed: it has ${slot.history.length} and ${slot.numComputed}`,
    );
  }
  slot.history.length = op.historyLength;
  // What is sampled from here on is output.
  slot.promptLength = Math.min(slot.promptLength, op.historyLength);
  slot.numComputed = op.numComputed;
  slot.endReason = END_REASON.none;
}
