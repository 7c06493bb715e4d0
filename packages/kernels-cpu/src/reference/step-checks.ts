import {
  type DecoderProgram,
  NULL_BLOCK,
  OUTPUT_KIND,
  SAMPLING_LIMITS,
  type SessionOptions,
  SLOT_OP,
  TRANSFER_OP,
  UnsupportedError,
} from '@kvasir/interfaces';
import { InvalidStepError } from './invalid-step-error.js';
import type { Slot } from './slot.js';
import type { StagedRow } from './slot-machine.js';
import type { RowRecord, SlotOpRecord, StepRecords, TransferRecord } from './step-records.js';

/** An `init` names a history within the limits and parameters that can be used. */
export function checkInit(op: SlotOpRecord, program: DecoderProgram, maxModelLen: number): void {
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
    throw new InvalidStepError(`${at}: temperature ${op.temperature}, topP ${op.topP}, topK ${op.topK} are not usable`);
  }
  checkSampling(op, at);
  const ids = [op.history, op.stopIds, op.allowedIds, [...op.logitBias.keys()], ...op.badWords];
  for (const list of ids) for (const id of list) checkToken(id, program.vocabSize, at);
}

function checkSampling(op: SlotOpRecord, at: string): void {
  const expect = (isUsable: boolean, what: string) => {
    if (!isUsable) throw new InvalidStepError(`${at}: ${what}`);
  };
  expect(op.minP >= 0 && op.minP <= 1, `minP is ${op.minP}, expected 0 to 1`);
  expect(op.typicalP > 0 && op.typicalP <= 1, `typicalP is ${op.typicalP}, expected more than 0, at most 1`);
  expect(
    op.repetitionPenalty > 0 && Number.isFinite(op.repetitionPenalty),
    `repetitionPenalty is ${op.repetitionPenalty}, expected more than 0`,
  );
  const numbers = [op.presencePenalty, op.frequencyPenalty, ...op.logitBias.values()];
  expect(numbers.every(Number.isFinite), 'presencePenalty, frequencyPenalty and biases are not all finite numbers');
  const { logitBias, badWordTokens } = SAMPLING_LIMITS;
  expect(op.logitBias.size <= logitBias, `${op.logitBias.size} biases, expected at most ${logitBias}`);
  const numTokens = op.badWords.reduce((sum, word) => sum + 1 + word.length, 0);
  expect(numTokens <= badWordTokens, `bad words of ${numTokens} words, expected at most ${badWordTokens}`);
}

/** Only within the pool and between it and the host tier, never of a null block. */
export function checkTransfers({ transfers }: StepRecords, { numBlocks, hostTier }: SessionOptions): void {
  for (const { op, src, dst } of transfers) {
    if (op === TRANSFER_OP.export || op === TRANSFER_OP.import) {
      throw new UnsupportedError(
        `transfer op ${op}`,
        `transfer op is ${op}: this backend moves blocks between its pool and its host tier only (0 to 2)`,
      );
    }
    if (op !== TRANSFER_OP.copy && hostTier === undefined) {
      throw new InvalidStepError(`transfer op is ${op}, but the session has no host tier: open it with hostTier`);
    }
    const numHostBlocks = hostTier?.numBlocks ?? 0;
    checkBlock(op, src, op === TRANSFER_OP.load ? numHostBlocks : numBlocks);
    checkBlock(op, dst, op === TRANSFER_OP.store ? numHostBlocks : numBlocks);
  }
}

function checkBlock(op: number, block: number, end: number): void {
  if (block < 1 || block >= end) {
    throw new InvalidStepError(`transfer ${op} of block ${block}: expected 1 to ${end - 1}`);
  }
}

/** Where the blocks of a transfer lie in an array that holds the pool, then the host tier. */
export function transferPlaces({ op, src, dst }: TransferRecord, { numBlocks }: SessionOptions): [number, number] {
  return [op === TRANSFER_OP.load ? numBlocks + src : src, op === TRANSFER_OP.store ? numBlocks + dst : dst];
}

/** Tokens, outputs and alternatives are within the session's limits. */
export function checkLimits({ rows, outputs }: StepRecords, options: SessionOptions): void {
  const { maxTokensPerStep, maxOutputsPerStep, maxTopLogprobs } = options;
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

/** Every block that the row reads or writes is there; only what lies behind a window may be missing. */
export function checkTables(
  slot: Slot,
  program: DecoderProgram,
  numTokens: number,
  blockSize: number,
  at: string,
): void {
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

/** Samples stand at the end of the history, once a slot and token, and verify every draft. */
export function checkOutputs(
  row: RowRecord,
  reachesEnd: boolean,
  outputs: StagedRow['outputs'],
  records: StepRecords,
  program: DecoderProgram,
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
    const forked = isForkOf(record.slot, row.slot, records);
    if (!own && (!forked || row.drafts.length > 0)) {
      throw new InvalidStepError(`${at}: sample for slot ${record.slot}, expected the row's slot or a fork of it`);
    }
    const key = `${record.slot}:${record.tokenIndex}`;
    if (seen.has(key)) throw new InvalidStepError(`${at}: two samples for slot ${record.slot} at one token`);
    seen.add(key);
    if (own) numSamples++;
  }
  if (row.drafts.length > 0 && numSamples !== row.drafts.length + 1) {
    throw new InvalidStepError(`${at}: ${numSamples} samples, expected ${row.drafts.length + 1} to verify its drafts`);
  }
}

/** A token is in the vocabulary. */
export function checkToken(id: number, vocabSize: number, at: string): void {
  if (id < 0 || id >= vocabSize) throw new InvalidStepError(`${at}: token ${id}, expected 0 to ${vocabSize - 1}`);
}

/** Whether a slot was forked from `source` in this step, and neither was released, and perhaps started anew, after that. */
function isForkOf(slot: number, source: number, { slotOps }: StepRecords): boolean {
  const at = slotOps.findLastIndex((op) => op.op === SLOT_OP.fork && op.slot === slot && op.source === source);
  const after = at < 0 ? [] : slotOps.slice(at + 1);
  return at >= 0 && !after.some((op) => op.op === SLOT_OP.release && (op.slot === slot || op.slot === source));
}
