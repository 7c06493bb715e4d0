import {
  END_REASON,
  NULL_BLOCK,
  OUTPUT_KIND,
  type Program,
  type SessionOptions,
  SLOT_OP,
  type StepBatch,
  TRANSFER_OP,
  UnsupportedError,
} from '@kvasir/interfaces';
import { InvalidStepError } from './invalid-step-error.js';
import { readStep } from './read-step.js';
import { cloneSlot, type Slot, startSlot } from './slot.js';
import type { OutputRecord, RowRecord, SlotOpRecord, StepRecords, TableUpdateRecord } from './step-records.js';

/** One row, ready to run: the tokens to compute and where they stand. */
export interface StagedRow {
  readonly slotId: number;
  readonly slot: Slot;
  readonly program: Program;
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
    this.#checkTransfers(records);
    this.#checkLimits(records);
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
      this.#checkInit(op);
      staged.set(op.slot, startSlot(op, this.#program(op.program).kvGroups.length));
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

  #checkInit(op: SlotOpRecord): void {
    const { maxModelLen } = this.#options;
    const { vocabSize } = this.#program(op.program);
    const at = `init of slot ${op.slot}`;
    if (op.history.length < 1 || op.numComputed < 0 || op.numComputed >= op.history.length) {
      throw new InvalidStepError(
        `${at}: ${op.numComputed} of ${op.history.length} tokens are computed, expected one left at least`,
      );
    }
    if (op.promptLength < 1 || op.promptLength > op.history.length) {
      throw new InvalidStepError(`${at}: promptLength is ${op.promptLength} of ${op.history.length} tokens`);
    }
    if (op.maxLength <= op.history.length || op.maxLength > maxModelLen) {
      throw new InvalidStepError(
        `${at}: maxLength is ${op.maxLength}, expected ${op.history.length + 1} to ${maxModelLen}`,
      );
    }
    if (op.minLength < 0 || op.minLength > op.maxLength) {
      throw new InvalidStepError(`${at}: minLength is ${op.minLength}, expected 0 to ${op.maxLength}`);
    }
    if (!(op.temperature >= 0 && Number.isFinite(op.temperature)) || !(op.topP > 0 && op.topP <= 1) || op.topK < 0) {
      throw new InvalidStepError(
        `${at}: temperature ${op.temperature}, topP ${op.topP}, topK ${op.topK} are not usable`,
      );
    }
    for (const id of [...op.history, ...op.stopIds]) checkToken(id, vocabSize, at);
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

  #checkTransfers({ transfers }: StepRecords): void {
    const { numBlocks } = this.#options;
    for (const { op, src, dst } of transfers) {
      if (op !== TRANSFER_OP.copy) {
        throw new UnsupportedError(`transfer op ${op}`, `transfer op is ${op}: this backend only copies (0)`);
      }
      if (src < 1 || src >= numBlocks || dst < 1 || dst >= numBlocks) {
        throw new InvalidStepError(`copy of block ${src} to ${dst}: expected 1 to ${numBlocks - 1}`);
      }
    }
  }

  #checkLimits({ rows, outputs }: StepRecords): void {
    const { maxTokensPerStep, maxOutputsPerStep, maxTopLogprobs } = this.#options;
    const numTokens = rows.reduce((sum, row) => sum + row.numQuery, 0);
    if (numTokens > maxTokensPerStep) {
      throw new InvalidStepError(`the step has ${numTokens} tokens, expected at most ${maxTokensPerStep}`);
    }
    if (outputs.length > maxOutputsPerStep) {
      throw new InvalidStepError(`the step has ${outputs.length} outputs, expected at most ${maxOutputsPerStep}`);
    }
    const topK = Math.max(0, ...outputs.map((output) => output.topK));
    if (topK > maxTopLogprobs) throw new InvalidStepError(`topK is ${topK}, expected at most ${maxTopLogprobs}`);
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
    this.#checkTables(slot, program, end + drafts.length, at);
    this.#checkOutputs(row, end === slot.history.length, outputs, records, program, at);
    return { ...base, tokens: [...slot.history.slice(base.start, end), ...drafts], drafts };
  }

  /** Every block that the row reads or writes is there; only what lies behind a window may be missing. */
  #checkTables(slot: Slot, program: Program, numTokens: number, at: string): void {
    const { blockSize } = this.#options;
    const needed = Math.ceil(numTokens / blockSize);
    slot.tables.forEach((table, group) => {
      if (table.length < needed) {
        throw new InvalidStepError(
          `${at}: ${numTokens} tokens need ${needed} blocks, the table of group ${group} has ${table.length}`,
        );
      }
      const window = program.kvGroups[group]?.window;
      const firstSeen = window === undefined ? 0 : Math.max(0, slot.numComputed + 1 - window);
      const hole = table.indexOf(NULL_BLOCK, Math.floor(firstSeen / blockSize));
      if (hole >= 0 && hole < needed) {
        throw new InvalidStepError(`${at}: entry ${hole} of group ${group} is the null block, but the row needs it`);
      }
    });
  }

  #checkOutputs(
    row: RowRecord,
    reachesEnd: boolean,
    outputs: StagedRow['outputs'],
    records: StepRecords,
    program: Program,
    at: string,
  ): void {
    const firstSample = row.numQuery - row.drafts.length - 1;
    let numSamples = 0;
    const seen = new Set<string>();
    for (const { record } of outputs) {
      if (record.kind === OUTPUT_KIND.pool) throw new InvalidStepError(`${at}: pool output, expected an encoder`);
      if (record.kind === OUTPUT_KIND.logprob) {
        checkToken(record.targetId, program.vocabSize, at);
        if (!record.wantsLogprobs) throw new InvalidStepError(`${at}: logprob output without the logprobs flag`);
        continue;
      }
      if (!reachesEnd || record.tokenIndex < firstSample) {
        throw new InvalidStepError(`${at}: sample at token ${record.tokenIndex}, expected the end of the history`);
      }
      const own = record.slot === row.slot;
      const forked = records.slotOps.some(
        (op) => op.op === SLOT_OP.fork && op.slot === record.slot && op.source === row.slot,
      );
      if (!own && (!forked || row.drafts.length > 0)) {
        throw new InvalidStepError(`${at}: sample for slot ${record.slot}, expected the row's slot or a fork of it`);
      }
      const key = `${record.slot}:${record.tokenIndex}`;
      if (seen.has(key)) throw new InvalidStepError(`${at}: two samples for slot ${record.slot} at one token`);
      seen.add(key);
      if (own) numSamples++;
    }
    if (row.drafts.length > 0 && numSamples !== row.drafts.length + 1) {
      throw new InvalidStepError(
        `${at}: ${numSamples} samples, expected ${row.drafts.length + 1} to verify its drafts`,
      );
    }
  }

  #program(index: number): Program {
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
  slot.numComputed = op.numComputed;
  slot.endReason = END_REASON.none;
}

function checkToken(id: number, vocabSize: number, at: string): void {
  if (id < 0 || id >= vocabSize) throw new InvalidStepError(`${at}: token ${id}, expected 0 to ${vocabSize - 1}`);
}
