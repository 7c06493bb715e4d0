import {
  NUM_STEP_SECTIONS,
  OUTPUT_FIELD,
  OUTPUT_FLAG,
  OUTPUT_KIND,
  OUTPUT_WORDS,
  ROW_FIELD,
  ROW_WORDS,
  SLOT_FLAG,
  SLOT_OP,
  SLOT_OP_FIELD,
  SLOT_OP_WORDS,
  STEP_BATCH_MAGIC,
  STEP_BATCH_VERSION,
  STEP_HEADER_WORDS,
  STEP_SECTION,
  type StepBatch,
  TABLE_UPDATE_FIELD,
  TABLE_UPDATE_WORDS,
  TRANSFER_FIELD,
  TRANSFER_OP,
  TRANSFER_WORDS,
} from '@kvasir/interfaces';

/** Fields of an `init` op; what is left out has the value that means "off". */
export interface InitOp {
  readonly slot: number;
  readonly history: ArrayLike<number>;
  readonly program?: number;
  readonly numComputed?: number;
  readonly promptLength?: number;
  readonly maxLength: number;
  readonly minLength?: number;
  readonly ignoreEos?: boolean;
  readonly seed?: bigint;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly stopIds?: readonly number[];
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** Token ids and biases. */
  readonly logitBias?: ReadonlyMap<number, number>;
  readonly allowedTokenIds?: readonly number[] | undefined;
  readonly badWords?: readonly (readonly number[])[];
}

/** Fields of an output; `slot` defaults to the row's. */
export interface OutputSpec {
  readonly kind?: keyof typeof OUTPUT_KIND;
  readonly slot?: number;
  readonly targetId?: number;
  /** Also asks for log-probabilities. */
  readonly topK?: number;
}

/** Writes batches word by word, for tests. Clear rather than fast: the engine has a packer of its own. */
export class StepBuilder {
  readonly #stepId: number;
  readonly #sections: number[][] = Array.from({ length: NUM_STEP_SECTIONS }, () => []);
  readonly #rowSlots: number[] = [];

  constructor(stepId: number) {
    this.#stepId = stepId;
  }

  init(op: InitOp): this {
    const seed = op.seed ?? 0n;
    const stopIds = op.stopIds ?? [];
    const biases = [...(op.logitBias ?? [])].flatMap(([id, bias]) => [id, floatBits(bias)]);
    const allowed = op.allowedTokenIds ?? [];
    const badWords = (op.badWords ?? []).flatMap((word) => [word.length, ...word]);
    return this.#slotOp({
      op: SLOT_OP.init,
      slot: op.slot,
      program: op.program ?? 0,
      historyOffset: this.#tokens(op.history),
      historyLength: op.history.length,
      numComputed: op.numComputed ?? 0,
      promptLength: op.promptLength ?? op.history.length,
      maxLength: op.maxLength,
      minLength: op.minLength ?? 0,
      flags: op.ignoreEos === true ? SLOT_FLAG.ignoreEos : 0,
      seedLow: Number(BigInt.asIntN(32, seed)),
      seedHigh: Number(BigInt.asIntN(32, seed >> 32n)),
      temperature: floatBits(op.temperature ?? 0),
      topP: floatBits(op.topP ?? 1),
      topK: op.topK ?? 0,
      stopIdsOffset: stopIds.length > 0 ? this.#tokens(stopIds) : 0,
      stopIdsLength: stopIds.length,
      minP: floatBits(op.minP ?? 0),
      typicalP: floatBits(op.typicalP ?? 1),
      repetitionPenalty: floatBits(op.repetitionPenalty ?? 1),
      presencePenalty: floatBits(op.presencePenalty ?? 0),
      frequencyPenalty: floatBits(op.frequencyPenalty ?? 0),
      biasOffset: biases.length > 0 ? this.#tokens(biases) : 0,
      biasLength: biases.length,
      allowedOffset: allowed.length > 0 ? this.#tokens(allowed) : 0,
      allowedLength: allowed.length,
      badWordsOffset: badWords.length > 0 ? this.#tokens(badWords) : 0,
      badWordsLength: badWords.length,
    });
  }

  truncate(slot: number, historyLength: number, numComputed: number): this {
    return this.#slotOp({ op: SLOT_OP.truncate, slot, historyLength, numComputed });
  }

  fork(source: number, slot: number, choice: number, seed = 0n): this {
    return this.#slotOp({
      op: SLOT_OP.fork,
      slot,
      source,
      choice,
      seedLow: Number(BigInt.asIntN(32, seed)),
      seedHigh: Number(BigInt.asIntN(32, seed >> 32n)),
    });
  }

  release(slot: number): this {
    return this.#slotOp({ op: SLOT_OP.release, slot });
  }

  /** Sets entries `[start, start + ids.length)` of a table. */
  table(slot: number, group: number, start: number, ids: readonly number[]): this {
    const section = this.#sections[STEP_SECTION.blockIds]!;
    const idsOffset = section.length;
    section.push(...ids);
    this.#record(STEP_SECTION.tableUpdates, TABLE_UPDATE_WORDS, TABLE_UPDATE_FIELD, {
      slot,
      group,
      start,
      count: ids.length,
      idsOffset,
    });
    return this;
  }

  copy(group: number, src: number, dst: number): this {
    return this.transfer('copy', group, src, dst);
  }

  /** Moves a block within the pool, to the host tier or from it. */
  transfer(op: keyof typeof TRANSFER_OP, group: number, src: number, dst: number): this {
    this.#record(STEP_SECTION.transfers, TRANSFER_WORDS, TRANSFER_FIELD, { op: TRANSFER_OP[op], group, src, dst });
    return this;
  }

  /** Adds a row; outputs added afterwards belong to it. */
  row(slot: number, numKnown: number, drafts: readonly number[] = []): this {
    this.#rowSlots.push(slot);
    this.#record(STEP_SECTION.rows, ROW_WORDS, ROW_FIELD, {
      slot,
      numQuery: numKnown + drafts.length,
      draftsOffset: drafts.length > 0 ? this.#tokens(drafts) : 0,
      numDrafts: drafts.length,
    });
    return this;
  }

  /** Adds an output of the last row. */
  output(tokenIndex: number, output: OutputSpec = {}): this {
    const row = this.#rowSlots.length - 1;
    this.#record(STEP_SECTION.outputs, OUTPUT_WORDS, OUTPUT_FIELD, {
      row,
      tokenIndex,
      kind: OUTPUT_KIND[output.kind ?? 'sample'],
      slot: output.slot ?? this.#rowSlots[row]!,
      targetId: output.targetId ?? 0,
      topK: output.topK ?? 0,
      flags: output.topK === undefined ? 0 : OUTPUT_FLAG.logprobs,
    });
    return this;
  }

  /** A row that ends at the end of its history, with the sample outputs that its drafts need. */
  sampleRow(slot: number, numKnown: number, drafts: readonly number[] = [], output: OutputSpec = {}): this {
    this.row(slot, numKnown, drafts);
    for (let i = 0; i <= drafts.length; i++) this.output(numKnown - 1 + i, output);
    return this;
  }

  build(): StepBatch {
    const words: number[] = new Array(STEP_HEADER_WORDS).fill(0);
    const strides = [SLOT_OP_WORDS, 1, ROW_WORDS, OUTPUT_WORDS, TABLE_UPDATE_WORDS, 1, TRANSFER_WORDS, 1, 1];
    this.#sections.forEach((section, index) => {
      while (words.length % 16 !== 0) words.push(0);
      words[8 + 2 * index] = words.length;
      words[9 + 2 * index] = section.length / strides[index]!;
      words.push(...section);
    });
    words.splice(0, 4, STEP_BATCH_MAGIC, STEP_BATCH_VERSION, words.length, this.#stepId);
    return { words: Int32Array.from(words), numWords: words.length };
  }

  #slotOp(fields: Partial<Record<keyof typeof SLOT_OP_FIELD, number>>): this {
    this.#record(STEP_SECTION.slotOps, SLOT_OP_WORDS, SLOT_OP_FIELD, fields);
    return this;
  }

  #tokens(ids: ArrayLike<number>): number {
    const section = this.#sections[STEP_SECTION.tokens]!;
    const offset = section.length;
    section.push(...Array.from(ids));
    return offset;
  }

  #record(
    section: number,
    size: number,
    layout: Readonly<Record<string, number>>,
    fields: Readonly<Record<string, number>>,
  ): void {
    const record: number[] = new Array(size).fill(0);
    for (const [name, value] of Object.entries(fields)) record[layout[name]!] = value;
    this.#sections[section]!.push(...record);
  }
}

function floatBits(value: number): number {
  return new Int32Array(new Float32Array([value]).buffer)[0]!;
}
