import { createHash } from 'node:crypto';
import { RESULT_WORDS, ROW_RESULT_WORDS, type StepResult } from '@kvasir/interfaces';
import { type SamplingExtras, StepBuilder } from '@kvasir/testing';
import type { TinySession } from './tiny-session.js';

/** What one sequence is and how it is scheduled; the second half must not show in what it says. */
export interface PlannedSequence extends SamplingExtras {
  readonly prompt: readonly number[];
  readonly numTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: bigint;
  /** Step at which it joins. */
  readonly arrival: number;
  /** Prompt tokens a step. */
  readonly chunk: number;
  /** Draft tokens proposed with each decode row; right or wrong. */
  readonly drafts: readonly number[];
}

/** Everything a sequence shows to the outside, bit by bit. */
export interface SequenceRecord {
  readonly tokens: number[];
  /** Bits of each token's log-probability, its rank, then ids and bits of the best four. */
  readonly numbers: number[];
  /** Hash of the full KV blocks of each group. */
  kv: string;
}

interface Running {
  readonly plan: PlannedSequence;
  readonly slot: number;
  readonly record: SequenceRecord;
  readonly tables: readonly (readonly number[])[];
  started: boolean;
  numComputed: number;
  historyLength: number;
}

/** Runs sequences together, each in a slot of its own, until all have their tokens. */
export async function runTogether(
  tiny: TinySession,
  plans: readonly PlannedSequence[],
  firstBlock = 1,
): Promise<SequenceRecord[]> {
  const running = plans.map((plan, slot) => start(tiny, plan, slot, firstBlock));
  for (let stepId = 1; running.some((sequence) => !isDone(sequence)); stepId++) {
    const step = new StepBuilder(stepId);
    const rows = planRows(tiny, running, stepId, step);
    if (rows.length === 0) continue;
    const result = await tiny.session.step(step.build());
    for (const [index, row] of rows.entries()) take(row, index, result);
  }
  for (const sequence of running) sequence.record.kv = await kvHash(tiny, sequence);
  return running.map(({ record }) => record);
}

interface PlannedRow {
  readonly sequence: Running;
  readonly firstOutput: number;
  readonly numOutputs: number;
  readonly firstTop: number;
}

function start({ options }: TinySession, plan: PlannedSequence, slot: number, firstBlock: number): Running {
  const numGroups = options.programs[0]!.kvGroups.length;
  const perTable = Math.ceil(options.maxModelLen / options.blockSize);
  const usable = options.numBlocks - 1;
  if (usable % 7 === 0) throw new Error(`tables would share blocks: numBlocks - 1 is ${usable}, a multiple of 7`);
  const tables = Array.from({ length: numGroups }, (_, group) =>
    Array.from({ length: perTable }, (_, i) => {
      const block = (slot * numGroups + group) * perTable + i;
      return 1 + ((firstBlock + 7 * block) % usable);
    }),
  );
  const record = { tokens: [], numbers: [], kv: '' };
  return { plan, slot, record, tables, started: false, numComputed: 0, historyLength: plan.prompt.length };
}

function isDone({ record, plan }: Running): boolean {
  return record.tokens.length >= plan.numTokens;
}

const TOP_K = 4;

/** Adds a row of every sequence that has something to do and fits the step. */
function planRows({ options }: TinySession, all: readonly Running[], stepId: number, step: StepBuilder): PlannedRow[] {
  const rows: PlannedRow[] = [];
  let budget = options.maxTokensPerStep;
  let numOutputs = 0;
  for (const sequence of all) {
    const { plan, slot } = sequence;
    if (isDone(sequence) || stepId <= plan.arrival) continue;
    const left = sequence.historyLength - sequence.numComputed;
    const numKnown = Math.min(left, plan.chunk);
    const samples = numKnown === left;
    const room = plan.numTokens - sequence.record.tokens.length - 1;
    const drafts = samples && sequence.record.tokens.length > 0 ? plan.drafts.slice(0, Math.max(0, room)) : [];
    if (numKnown + drafts.length > budget || numOutputs + 1 + drafts.length > options.maxOutputsPerStep) continue;
    if (!sequence.started) {
      step.init({ ...plan, slot, history: plan.prompt, maxLength: options.maxModelLen, ignoreEos: true });
      for (const [group, table] of sequence.tables.entries()) step.table(slot, group, 0, table);
      sequence.started = true;
    }
    step.row(slot, numKnown, drafts);
    const count = samples ? 1 + drafts.length : 0;
    for (let i = 0; i < count; i++) step.output(numKnown - 1 + i, { topK: TOP_K });
    rows.push({ sequence, firstOutput: numOutputs, numOutputs: count, firstTop: numOutputs * TOP_K });
    budget -= numKnown + drafts.length;
    numOutputs += count;
  }
  return rows;
}

function take({ sequence, firstOutput, numOutputs, firstTop }: PlannedRow, index: number, result: StepResult): void {
  const { record } = sequence;
  const topBits = new Int32Array(result.topLogprobs.buffer, result.topLogprobs.byteOffset, result.topLogprobs.length);
  for (let i = 0; i < numOutputs; i++) {
    const at = (firstOutput + i) * RESULT_WORDS;
    if (result.outputs[at] === -1) continue;
    record.tokens.push(result.outputs[at]!);
    const top = firstTop + i * TOP_K;
    record.numbers.push(result.outputs[at + 1]!, result.outputs[at + 2]!);
    record.numbers.push(...result.topIds.subarray(top, top + TOP_K), ...topBits.subarray(top, top + TOP_K));
  }
  sequence.numComputed = result.rows[index * ROW_RESULT_WORDS + 2]!;
  sequence.historyLength = result.rows[index * ROW_RESULT_WORDS + 3]!;
}

async function kvHash({ session, options }: TinySession, { tables, plan }: Running): Promise<string> {
  const hash = createHash('sha256');
  const numFull = Math.floor((plan.prompt.length + plan.numTokens - 1) / options.blockSize);
  for (const [group, table] of tables.entries()) {
    for (const block of table.slice(0, numFull)) hash.update(await session.readBlock(group, block));
  }
  return hash.digest('hex');
}
