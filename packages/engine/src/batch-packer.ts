import {
  type BlockTransfer,
  type KvCacheManager,
  NUM_STEP_SECTIONS,
  OUTPUT_FIELD,
  OUTPUT_FLAG,
  OUTPUT_KIND,
  OUTPUT_WORDS,
  type PlannedRow,
  ROW_FIELD,
  ROW_WORDS,
  SLOT_FLAG,
  SLOT_OP,
  SLOT_OP_FIELD,
  SLOT_OP_WORDS,
  STEP_BATCH_MAGIC,
  STEP_BATCH_VERSION,
  STEP_HEADER_WORDS,
  type StepBatch,
  type StepPlan,
  TABLE_UPDATE_FIELD,
  TABLE_UPDATE_WORDS,
  TRANSFER_FIELD,
  TRANSFER_OP,
  TRANSFER_WORDS,
} from '@kvasir/interfaces';
import { MIN_FLOAT32 } from './sampling.js';
import { SectionWriter } from './section-writer.js';
import type { Sequence } from './sequence.js';
import { SlotLedger } from './slot-ledger.js';

const SECTION_ALIGNMENT = 16;

/** A batch whose arena is reused; `words` grows with the largest step. */
interface Arena extends StepBatch {
  words: Int32Array;
  numWords: number;
}

/**
 * Turns plans into batches: one flat copy, nothing allocated once the arenas have their size.
 *
 * | arena | written by | read by | until |
 * |---|---|---|---|
 * | step N | `pack` | backend, then the engine when it streams N | `pack` of step N + numArenas |
 */
export class BatchPacker {
  readonly #kvCache: KvCacheManager;
  readonly #arenas: readonly Arena[];
  readonly #slots: SlotLedger;
  readonly #slotOps = new SectionWriter(SLOT_OP_WORDS, 8);
  readonly #tokens = new SectionWriter(1, 1024);
  readonly #rows = new SectionWriter(ROW_WORDS, 64);
  readonly #outputs = new SectionWriter(OUTPUT_WORDS, 64);
  readonly #tableUpdates = new SectionWriter(TABLE_UPDATE_WORDS, 64);
  readonly #blockIds = new SectionWriter(1, 256);
  readonly #transfers = new SectionWriter(TRANSFER_WORDS, 8);
  readonly #absent = new SectionWriter(1, 1);
  /** In the order of `STEP_SECTION`. */
  readonly #sections = [
    this.#slotOps,
    this.#tokens,
    this.#rows,
    this.#outputs,
    this.#tableUpdates,
    this.#blockIds,
    this.#transfers,
    this.#absent,
    this.#absent,
  ];
  #next = 0;
  #taken: readonly BlockTransfer[] = [];

  /** @param numArenas - One more than the steps in flight, so that a step can still be read while the next ones run. */
  constructor(kvCache: KvCacheManager, maxSlots: number, numArenas: number) {
    this.#kvCache = kvCache;
    this.#slots = new SlotLedger(maxSlots);
    this.#arenas = Array.from({ length: numArenas }, () => ({ words: new Int32Array(4096), numWords: 0 }));
  }

  /**
   * @param sequences - The sequence of each row of `plan`.
   * @returns A batch that stays as it is until `numArenas` further calls.
   */
  pack(plan: StepPlan, sequences: readonly Sequence[]): StepBatch {
    for (const section of this.#sections) section.clear();
    this.#slots.begin(plan.stepId);
    for (const slot of plan.releasedSlots) if (this.#slots.isInUse(slot)) this.#release(slot);
    plan.rows.forEach((row, index) => {
      const sequence = sequences[index]!;
      if (row.starts) this.#start(row, sequence);
      this.#updateTables(row);
      this.#addRow(row);
      this.#addOutputs(row, index, sequence);
    });
    this.#taken = this.#kvCache.takeTransfers();
    for (const { op, group, src, dst } of this.#taken) {
      const at = this.#transfers.reserve(1);
      const { words } = this.#transfers;
      words[at + TRANSFER_FIELD.op] = TRANSFER_OP[op];
      words[at + TRANSFER_FIELD.group] = group;
      words[at + TRANSFER_FIELD.src] = src;
      words[at + TRANSFER_FIELD.dst] = dst;
    }
    return this.#assemble(plan.stepId);
  }

  /** Transfers that the last batch carries. */
  get lastTransfers(): readonly BlockTransfer[] {
    return this.#taken;
  }

  /** The session has run step `stepId`: its slot ops hold. Called in the order of submission, as is {@link BatchPacker.failed}. */
  succeeded(stepId: number): void {
    this.#slots.confirm(stepId);
  }

  /** The session has not run step `stepId`: its slot ops never happened. */
  failed(stepId: number): void {
    this.#slots.drop(stepId);
  }

  #release(slot: number): void {
    const at = this.#slotOps.reserve(1);
    this.#slotOps.words[at + SLOT_OP_FIELD.op] = SLOT_OP.release;
    this.#slotOps.words[at + SLOT_OP_FIELD.slot] = slot;
    this.#slots.note(slot, false);
  }

  #start(row: PlannedRow, sequence: Sequence): void {
    // A slot whose release was lost with a failed step is given up here.
    if (this.#slots.isInUse(row.slot)) this.#release(row.slot);
    this.#slots.note(row.slot, true);
    const { sampling } = sequence;
    const historyOffset = this.#tokens.append(sequence.tokens, 0, sequence.length);
    const allowed = sampling.allowedTokenIds ?? [];
    const stopIdsOffset = this.#addTokens(sampling.stopTokenIds);
    const allowedOffset = this.#addTokens(allowed);
    const biasOffset = this.#addBiases(sampling.logitBias);
    const badWordsOffset = this.#tokens.length;
    for (const word of sampling.badWords) {
      // First, because the words may move.
      const size = this.#tokens.reserve(1);
      this.#tokens.words[size] = word.length;
      this.#addTokens(word);
    }
    const badWordsLength = this.#tokens.length - badWordsOffset;
    const at = this.#slotOps.reserve(1);
    const { words, floats } = this.#slotOps;
    words[at + SLOT_OP_FIELD.op] = SLOT_OP.init;
    words[at + SLOT_OP_FIELD.slot] = row.slot;
    words[at + SLOT_OP_FIELD.historyOffset] = historyOffset;
    words[at + SLOT_OP_FIELD.historyLength] = sequence.length;
    words[at + SLOT_OP_FIELD.numComputed] = row.numCachedTokens;
    words[at + SLOT_OP_FIELD.promptLength] = sequence.promptLength;
    words[at + SLOT_OP_FIELD.maxLength] = sequence.maxLength;
    words[at + SLOT_OP_FIELD.minLength] = Math.min(sequence.maxLength, sequence.promptLength + sampling.minTokens);
    words[at + SLOT_OP_FIELD.flags] = sampling.ignoreEos ? SLOT_FLAG.ignoreEos : 0;
    words[at + SLOT_OP_FIELD.seedLow] = Number(BigInt.asIntN(32, sampling.seed));
    words[at + SLOT_OP_FIELD.seedHigh] = Number(BigInt.asIntN(32, sampling.seed >> 32n));
    floats[at + SLOT_OP_FIELD.temperature] = sampling.temperature;
    floats[at + SLOT_OP_FIELD.topP] = aboveZero(sampling.topP);
    words[at + SLOT_OP_FIELD.topK] = sampling.topK;
    words[at + SLOT_OP_FIELD.stopIdsOffset] = stopIdsOffset;
    words[at + SLOT_OP_FIELD.stopIdsLength] = sampling.stopTokenIds.length;
    floats[at + SLOT_OP_FIELD.minP] = sampling.minP;
    floats[at + SLOT_OP_FIELD.typicalP] = aboveZero(sampling.typicalP);
    floats[at + SLOT_OP_FIELD.repetitionPenalty] = aboveZero(sampling.repetitionPenalty);
    floats[at + SLOT_OP_FIELD.presencePenalty] = sampling.presencePenalty;
    floats[at + SLOT_OP_FIELD.frequencyPenalty] = sampling.frequencyPenalty;
    words[at + SLOT_OP_FIELD.biasOffset] = biasOffset;
    words[at + SLOT_OP_FIELD.biasLength] = 2 * sampling.logitBias.size;
    words[at + SLOT_OP_FIELD.allowedOffset] = allowedOffset;
    words[at + SLOT_OP_FIELD.allowedLength] = allowed.length;
    words[at + SLOT_OP_FIELD.badWordsOffset] = badWordsLength === 0 ? 0 : badWordsOffset;
    words[at + SLOT_OP_FIELD.badWordsLength] = badWordsLength;
  }

  /** @returns Offset of the first; 0 when there are none. */
  #addTokens(ids: readonly number[]): number {
    if (ids.length === 0) return 0;
    const offset = this.#tokens.reserve(ids.length);
    for (let i = 0; i < ids.length; i++) this.#tokens.words[offset + i] = ids[i]!;
    return offset;
  }

  #addBiases(biases: ReadonlyMap<number, number>): number {
    if (biases.size === 0) return 0;
    const offset = this.#tokens.reserve(2 * biases.size);
    let at = offset;
    for (const [id, bias] of biases) {
      this.#tokens.words[at] = id;
      this.#tokens.floats[at + 1] = bias;
      at += 2;
    }
    return offset;
  }

  #updateTables(row: PlannedRow): void {
    for (let group = 0; group < this.#kvCache.groups.length; group++) {
      const table = this.#kvCache.table(row.sequence, group);
      const start = row.starts ? 0 : table.dirtyFrom;
      if (start >= table.length) continue;
      const idsOffset = this.#blockIds.append(table.ids, start, table.length);
      const at = this.#tableUpdates.reserve(1);
      const { words } = this.#tableUpdates;
      words[at + TABLE_UPDATE_FIELD.slot] = row.slot;
      words[at + TABLE_UPDATE_FIELD.group] = group;
      words[at + TABLE_UPDATE_FIELD.start] = start;
      words[at + TABLE_UPDATE_FIELD.count] = table.length - start;
      words[at + TABLE_UPDATE_FIELD.idsOffset] = idsOffset;
    }
    this.#kvCache.markSent(row.sequence);
  }

  #addRow(row: PlannedRow): void {
    const numDrafts = row.drafts.length;
    const draftsOffset = numDrafts === 0 ? 0 : this.#tokens.reserve(numDrafts);
    for (let i = 0; i < numDrafts; i++) this.#tokens.words[draftsOffset + i] = row.drafts[i]!;
    const at = this.#rows.reserve(1);
    const { words } = this.#rows;
    words[at + ROW_FIELD.slot] = row.slot;
    words[at + ROW_FIELD.numQuery] = row.numQuery;
    words[at + ROW_FIELD.draftsOffset] = draftsOffset;
    words[at + ROW_FIELD.numDrafts] = numDrafts;
  }

  #addOutputs(row: PlannedRow, rowIndex: number, sequence: Sequence): void {
    const { sampling } = sequence;
    const end = row.start + row.numQuery;
    const firstAsked = Math.max(row.start, sequence.firstMissingPromptLogprob);
    for (let position = firstAsked; position < Math.min(end, sequence.promptLength - 1); position++) {
      const topK = sampling.promptLogprobs as number;
      const at = this.#addOutput(rowIndex, position - row.start, row.slot, OUTPUT_KIND.logprob, topK);
      this.#outputs.words[at + OUTPUT_FIELD.targetId] = sequence.tokens[position + 1]!;
    }
    if (!row.samples) return;
    for (let index = row.numQuery - 1 - row.drafts.length; index < row.numQuery; index++) {
      this.#addOutput(rowIndex, index, row.slot, OUTPUT_KIND.sample, sampling.logprobs);
    }
  }

  #addOutput(row: number, tokenIndex: number, slot: number, kind: number, topK: number | undefined): number {
    const at = this.#outputs.reserve(1);
    const { words } = this.#outputs;
    words[at + OUTPUT_FIELD.row] = row;
    words[at + OUTPUT_FIELD.tokenIndex] = tokenIndex;
    words[at + OUTPUT_FIELD.kind] = kind;
    words[at + OUTPUT_FIELD.slot] = slot;
    words[at + OUTPUT_FIELD.topK] = topK ?? 0;
    words[at + OUTPUT_FIELD.flags] = topK === undefined ? 0 : OUTPUT_FLAG.logprobs;
    return at;
  }

  #assemble(stepId: number): StepBatch {
    const arena = this.#arenas[this.#next]!;
    this.#next = (this.#next + 1) % this.#arenas.length;
    let numWords = STEP_HEADER_WORDS;
    for (const section of this.#sections) numWords = align(numWords) + section.length;
    numWords = align(numWords);
    if (numWords > arena.words.length) arena.words = new Int32Array(2 * numWords);
    const { words } = arena;
    words.fill(0, 0, numWords);
    words[0] = STEP_BATCH_MAGIC;
    words[1] = STEP_BATCH_VERSION;
    words[2] = numWords;
    words[3] = stepId;
    let start = STEP_HEADER_WORDS;
    for (let index = 0; index < NUM_STEP_SECTIONS; index++) {
      const section = this.#sections[index]!;
      words[8 + 2 * index] = start;
      words[9 + 2 * index] = section.numRecords;
      for (let i = 0; i < section.length; i++) words[start + i] = section.words[i]!;
      start = align(start + section.length);
    }
    arena.numWords = numWords;
    return arena;
  }
}

/** As a float32 it would be 0, which none of them may be. */
function aboveZero(value: number): number {
  return Math.max(value, MIN_FLOAT32);
}

function align(numWords: number): number {
  return Math.ceil(numWords / SECTION_ALIGNMENT) * SECTION_ALIGNMENT;
}
