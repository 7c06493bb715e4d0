import {
  NUM_STEP_SECTIONS,
  OUTPUT_FIELD,
  OUTPUT_FLAG,
  OUTPUT_KIND,
  OUTPUT_WORDS,
  ROW_FIELD,
  ROW_FLAG,
  ROW_WORDS,
  readSection,
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
import { InvalidStepError } from './invalid-step-error.js';
import type {
  OutputRecord,
  RowRecord,
  SlotOpRecord,
  StepRecords,
  TableUpdateRecord,
  TransferRecord,
} from './step-records.js';

/** Words a record of each section, in section order. */
const RECORD_WORDS = [SLOT_OP_WORDS, 1, ROW_WORDS, OUTPUT_WORDS, TABLE_UPDATE_WORDS, 1, TRANSFER_WORDS, 1, 1] as const;

const SECTION_NAMES = Object.keys(STEP_SECTION);
const SECTION_ALIGNMENT = 16;
const FIRST_FREE_HEADER_WORD = 8 + 2 * NUM_STEP_SECTIONS;

/** Which words a slot op of each kind may set; the others must be 0. */
const SLOT_OP_USES: Readonly<Record<number, readonly (keyof typeof SLOT_OP_FIELD)[]>> = {
  [SLOT_OP.init]: Object.keys(SLOT_OP_FIELD).filter((name) => name !== 'source') as (keyof typeof SLOT_OP_FIELD)[],
  [SLOT_OP.truncate]: ['op', 'slot', 'historyLength', 'numComputed'],
  [SLOT_OP.fork]: ['op', 'slot', 'source', 'choice', 'seedLow', 'seedHigh'],
  [SLOT_OP.release]: ['op', 'slot'],
};

/**
 * Reads a batch and checks everything that can be checked without a session: header, section bounds, record kinds,
 * offsets, and that every unnamed word is 0.
 * @throws {@link InvalidStepError} Naming the section, the record and the word.
 */
export function readStep(batch: StepBatch): StepRecords {
  const words = checkHeader(batch);
  const tokens = sectionWords(words, STEP_SECTION.tokens);
  const blockIds = sectionWords(words, STEP_SECTION.blockIds);
  const rows = records(words, STEP_SECTION.rows, (record, at) => readRow(record, at, tokens));
  return {
    stepId: words[3] as number,
    slotOps: records(words, STEP_SECTION.slotOps, (record, at) => readSlotOp(record, at, tokens)),
    rows,
    outputs: readOutputs(words, rows),
    tableUpdates: records(words, STEP_SECTION.tableUpdates, (record, at) => readTableUpdate(record, at, blockIds)),
    transfers: records(words, STEP_SECTION.transfers, readTransfer),
  };
}

function checkHeader(batch: StepBatch): Int32Array {
  const { words, numWords } = batch;
  if (!Number.isInteger(numWords) || numWords < STEP_HEADER_WORDS || numWords > words.length) {
    throw new InvalidStepError(
      `numWords is ${numWords}: expected ${STEP_HEADER_WORDS} to ${words.length}, the arena's length`,
    );
  }
  expectWord(words, 0, STEP_BATCH_MAGIC, 'magic');
  expectWord(words, 1, STEP_BATCH_VERSION, 'version');
  expectWord(words, 2, numWords, 'numWords in the header');
  if ((words[3] as number) < 1) throw new InvalidStepError(`stepId is ${words[3]}: expected 1 or more`);
  for (let at = 4; at < 8; at++) expectWord(words, at, 0, `header word ${at}`);
  for (let at = FIRST_FREE_HEADER_WORD; at < STEP_HEADER_WORDS; at++) expectWord(words, at, 0, `header word ${at}`);
  let end = STEP_HEADER_WORDS;
  for (let section = 0; section < NUM_STEP_SECTIONS; section++) end = checkSection(words, numWords, section, end);
  return words.subarray(0, numWords);
}

/** Sections lie in order, aligned, without overlap. Returns the end of `section`. */
function checkSection(words: Int32Array, numWords: number, section: number, previousEnd: number): number {
  const { start, count } = readSection(words, section);
  if (count === 0 && start === 0) return previousEnd;
  const end = start + count * (RECORD_WORDS[section] as number);
  if (count < 0 || start < previousEnd || start % SECTION_ALIGNMENT !== 0 || end > numWords) {
    throw new InvalidStepError(
      `section ${SECTION_NAMES[section]} is [${start}, ${end}): expected a multiple of ${SECTION_ALIGNMENT} from ${previousEnd}, ending by ${numWords}`,
    );
  }
  if (count > 0 && (section === STEP_SECTION.adapters || section === STEP_SECTION.masks)) {
    throw new InvalidStepError(`section ${SECTION_NAMES[section]} has ${count} records: this backend reads none`);
  }
  return end;
}

function readSlotOp(record: Int32Array, at: string, tokens: Int32Array): SlotOpRecord {
  const op = record[SLOT_OP_FIELD.op] as number;
  const uses = SLOT_OP_USES[op];
  if (uses === undefined) throw new InvalidStepError(`${at}: op is ${op}, expected one of 0 to 3`);
  expectUnusedZero(
    record,
    uses.map((name) => SLOT_OP_FIELD[name]),
    at,
  );
  const field = (name: keyof typeof SLOT_OP_FIELD) => record[SLOT_OP_FIELD[name]] as number;
  const bits = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const float = (name: keyof typeof SLOT_OP_FIELD) => bits.getFloat32(4 * SLOT_OP_FIELD[name], true);
  const flags = field('flags');
  if ((flags & ~SLOT_FLAG.ignoreEos) !== 0) throw new InvalidStepError(`${at}: flags are ${flags}, expected 0 or 1`);
  const hasHistory = op === SLOT_OP.init;
  return {
    op,
    slot: field('slot'),
    source: field('source'),
    program: field('program'),
    history: hasHistory
      ? range(tokens, field('historyOffset'), field('historyLength'), `${at}: history`)
      : tokens.subarray(0, 0),
    historyLength: field('historyLength'),
    numComputed: field('numComputed'),
    promptLength: field('promptLength'),
    maxLength: field('maxLength'),
    minLength: field('minLength'),
    ignoreEos: (flags & SLOT_FLAG.ignoreEos) !== 0,
    seed: (BigInt(field('seedHigh') >>> 0) << 32n) | BigInt(field('seedLow') >>> 0),
    temperature: float('temperature'),
    topP: float('topP'),
    topK: field('topK'),
    stopIds: range(tokens, field('stopIdsOffset'), field('stopIdsLength'), `${at}: stop ids`),
    minP: float('minP'),
    typicalP: float('typicalP'),
    repetitionPenalty: float('repetitionPenalty'),
    presencePenalty: float('presencePenalty'),
    frequencyPenalty: float('frequencyPenalty'),
    logitBias: readBiases(range(tokens, field('biasOffset'), field('biasLength'), `${at}: biases`), at),
    allowedIds: range(tokens, field('allowedOffset'), field('allowedLength'), `${at}: allowed ids`),
    badWords: readBadWords(range(tokens, field('badWordsOffset'), field('badWordsLength'), `${at}: bad words`), at),
  };
}

function readBiases(words: Int32Array, at: string): ReadonlyMap<number, number> {
  const biases = new Map<number, number>();
  if (words.length % 2 !== 0) throw new InvalidStepError(`${at}: biases are ${words.length} words, expected pairs`);
  const bits = new DataView(words.buffer, words.byteOffset, words.byteLength);
  for (let i = 0; i < words.length; i += 2) {
    if (biases.has(words[i]!)) throw new InvalidStepError(`${at}: token ${words[i]} has two biases, expected one`);
    biases.set(words[i]!, bits.getFloat32(4 * (i + 1), true));
  }
  return biases;
}

function readBadWords(words: Int32Array, at: string): readonly (readonly number[])[] {
  const sequences: number[][] = [];
  for (let i = 0; i < words.length; i += 1 + words[i]!) {
    const size = words[i]!;
    if (size < 1 || i + 1 + size > words.length) {
      throw new InvalidStepError(`${at}: a bad word of ${size} tokens, expected 1 to the ${words.length - i - 1} left`);
    }
    sequences.push([...words.subarray(i + 1, i + 1 + size)]);
  }
  return sequences;
}

function readRow(record: Int32Array, at: string, tokens: Int32Array): RowRecord {
  expectUnusedZero(record, Object.values(ROW_FIELD), at);
  const flags = record[ROW_FIELD.flags] as number;
  if ((flags & ~ROW_FLAG.needsSync) !== 0) throw new InvalidStepError(`${at}: flags are ${flags}, expected 0 or 1`);
  const numQuery = record[ROW_FIELD.numQuery] as number;
  const numDrafts = record[ROW_FIELD.numDrafts] as number;
  if (numQuery < 1 || numDrafts < 0 || numDrafts >= numQuery) {
    throw new InvalidStepError(
      `${at}: numQuery is ${numQuery} with ${numDrafts} drafts, expected at least one token that is not a draft`,
    );
  }
  return {
    slot: record[ROW_FIELD.slot] as number,
    numQuery,
    drafts: range(tokens, record[ROW_FIELD.draftsOffset] as number, numDrafts, `${at}: drafts`),
  };
}

function readOutputs(words: Int32Array, rows: readonly RowRecord[]): readonly OutputRecord[] {
  let previous: OutputRecord | undefined;
  return records(words, STEP_SECTION.outputs, (record, at) => {
    const output = readOutput(record, at, rows);
    if (previous !== undefined) {
      const back = output.row - previous.row || output.tokenIndex - previous.tokenIndex;
      if (back < 0) throw new InvalidStepError(`${at}: outputs go back, expected them by row, then by token index`);
    }
    previous = output;
    return output;
  });
}

function readOutput(record: Int32Array, at: string, rows: readonly RowRecord[]): OutputRecord {
  expectUnusedZero(record, Object.values(OUTPUT_FIELD), at);
  const field = (name: keyof typeof OUTPUT_FIELD) => record[OUTPUT_FIELD[name]] as number;
  const row = rows[field('row')];
  if (row === undefined) throw new InvalidStepError(`${at}: row is ${field('row')}, the step has ${rows.length}`);
  if (field('tokenIndex') < 0 || field('tokenIndex') >= row.numQuery) {
    throw new InvalidStepError(`${at}: token index is ${field('tokenIndex')}, its row has ${row.numQuery} tokens`);
  }
  if (!(Object.values(OUTPUT_KIND) as number[]).includes(field('kind'))) {
    throw new InvalidStepError(`${at}: kind is ${field('kind')}, expected 0, 1 or 2`);
  }
  if ((field('flags') & ~OUTPUT_FLAG.logprobs) !== 0) {
    throw new InvalidStepError(`${at}: flags are ${field('flags')}, expected 0 or 1`);
  }
  const wantsLogprobs = (field('flags') & OUTPUT_FLAG.logprobs) !== 0;
  if (field('topK') < 0 || (field('topK') > 0 && !wantsLogprobs)) {
    throw new InvalidStepError(`${at}: topK is ${field('topK')}, expected 0 unless log-probabilities are asked for`);
  }
  return {
    row: field('row'),
    tokenIndex: field('tokenIndex'),
    kind: field('kind'),
    slot: field('slot'),
    targetId: field('targetId'),
    topK: field('topK'),
    wantsLogprobs,
  };
}

function readTableUpdate(record: Int32Array, at: string, blockIds: Int32Array): TableUpdateRecord {
  expectUnusedZero(record, Object.values(TABLE_UPDATE_FIELD), at);
  const field = (name: keyof typeof TABLE_UPDATE_FIELD) => record[TABLE_UPDATE_FIELD[name]] as number;
  return {
    slot: field('slot'),
    group: field('group'),
    start: field('start'),
    ids: range(blockIds, field('idsOffset'), field('count'), `${at}: block ids`),
  };
}

function readTransfer(record: Int32Array, at: string): TransferRecord {
  expectUnusedZero(record, Object.values(TRANSFER_FIELD), at);
  const op = record[TRANSFER_FIELD.op] as number;
  if (!(Object.values(TRANSFER_OP) as number[]).includes(op)) {
    throw new InvalidStepError(`${at}: op is ${op}, expected one of 0 to 4`);
  }
  return {
    op,
    group: record[TRANSFER_FIELD.group] as number,
    src: record[TRANSFER_FIELD.src] as number,
    dst: record[TRANSFER_FIELD.dst] as number,
  };
}

function records<T>(words: Int32Array, section: number, read: (record: Int32Array, at: string) => T): T[] {
  const { start, count } = readSection(words, section);
  const stride = RECORD_WORDS[section] as number;
  return Array.from({ length: count }, (_, index) =>
    read(words.subarray(start + index * stride, start + (index + 1) * stride), `${SECTION_NAMES[section]}[${index}]`),
  );
}

function sectionWords(words: Int32Array, section: number): Int32Array {
  const { start, count } = readSection(words, section);
  return words.subarray(start, start + count);
}

function range(from: Int32Array, offset: number, length: number, what: string): Int32Array {
  if (offset < 0 || length < 0 || offset + length > from.length) {
    throw new InvalidStepError(`${what} are [${offset}, ${offset + length}), their section has ${from.length} words`);
  }
  return from.subarray(offset, offset + length);
}

function expectWord(words: Int32Array, at: number, expected: number, what: string): void {
  if (words[at] !== expected) throw new InvalidStepError(`${what} is ${words[at]}, expected ${expected}`);
}

function expectUnusedZero(record: Int32Array, used: readonly number[], at: string): void {
  record.forEach((word, index) => {
    if (word !== 0 && !used.includes(index)) {
      throw new InvalidStepError(`${at}: word ${index} is ${word}, expected 0 because it has no meaning here`);
    }
  });
}
