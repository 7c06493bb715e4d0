import {
  type DecoderProgram,
  END_REASON,
  RESULT_FIELD,
  RESULT_WORDS,
  ROW_RESULT_FIELD,
  ROW_RESULT_WORDS,
  type Session,
  type SessionOptions,
  type StepResult,
} from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { createFakeBackend, createFakeProgram, createTinyModel, type StepBuilder } from '@kvasir/testing';

/** EOS of every contract session. */
export const EOS = 1;

/** Backends that the contract tests run on: without a model, in plain double precision, and native. */
export const KINDS = ['fake', 'reference', 'cpu'] as const;

export type Kind = (typeof KINDS)[number];

/** Tokens a block of each; the native kernels take whole tiles of 16. */
export const BLOCK_SIZES = { fake: 2, reference: 2, cpu: 16 } as const;

/** Blocks a table. */
const TABLE_LENGTH = 16;

/** Runs of a property: every step of a real model costs more. */
export function runsOf(kind: Kind, numRuns: number): number {
  return kind === 'fake' ? numRuns : Math.ceil(numRuns / 3);
}

export interface ContractSession extends AsyncDisposable {
  readonly session: Session;
  readonly options: SessionOptions;
  readonly vocabSize: number;
}

/** A session with 4 slots and 128 blocks, over one full and one window group (3 tokens). */
export async function openSession(kind: Kind, overrides: Partial<SessionOptions> = {}): Promise<ContractSession> {
  const options = (programs: readonly DecoderProgram[]): SessionOptions => ({
    programs,
    mode: 'float32',
    kvCacheDtype: 'auto',
    blockSize: BLOCK_SIZES[kind],
    numBlocks: 128,
    maxSlots: 4,
    maxModelLen: TABLE_LENGTH * BLOCK_SIZES[kind],
    maxTokensPerStep: 80,
    maxOutputsPerStep: 64,
    maxTopLogprobs: 4,
    maxInFlight: 2,
    eosTokenIds: [EOS],
    ...overrides,
  });
  if (kind === 'fake') {
    const chosen = options([
      createFakeProgram({ vocabSize: 8, windows: [3] }),
      createFakeProgram({ vocabSize: 8, name: 'draft' }),
    ]);
    const session = await createFakeBackend().openSession(chosen);
    return { session, options: chosen, vocabSize: 8, [Symbol.asyncDispose]: () => session.close() };
  }
  const model = createTinyModel({
    family: 'gemma',
    numLayers: 2,
    hiddenSize: 16,
    numHeads: 2,
    numKvHeads: 1,
    headDim: 8,
    intermediateSize: 16,
    vocabSize: 8,
    maxPositions: 256,
    tied: false,
    window: 3,
    softcap: undefined,
    bias: false,
    interleavedRope: false,
    encoding: 'f32',
    seed: 5,
  });
  const chosen = options([model.program]);
  const backend = kind === 'cpu' ? createCpuBackend({ numThreads: 1 }) : createReferenceBackend();
  const session = await backend.openSession(chosen);
  const close = async () => {
    await session.close();
    model[Symbol.dispose]();
  };
  return { session, options: chosen, vocabSize: 8, [Symbol.asyncDispose]: close };
}

/** Block ids of slot `slot` in `group`, for its whole life: slots 0, 1 and 2 share none. */
export function blocksOf(slot: number, group: number): number[] {
  return Array.from({ length: TABLE_LENGTH }, (_, i) => 1 + ((slot % 3) * 2 + group) * TABLE_LENGTH + i);
}

/** Gives a slot its blocks, in every group. */
export function withTables(step: StepBuilder, slot: number, numGroups = 2): StepBuilder {
  for (let group = 0; group < numGroups; group++) step.table(slot, group, 0, blocksOf(slot, group));
  return step;
}

export interface OutputResult {
  readonly tokenId: number;
  readonly logprob: number;
  readonly rank: number;
  readonly endReason: number;
}

export interface RowResult {
  readonly skipped: boolean;
  readonly numAccepted: number;
  readonly numComputed: number;
  readonly historyLength: number;
}

/** A result as objects. */
export function readResult(result: StepResult): { readonly outputs: OutputResult[]; readonly rows: RowResult[] } {
  const { outputs, rows } = result;
  const floats = new Float32Array(outputs.buffer, outputs.byteOffset, outputs.length);
  const numOutputs = outputs.length / RESULT_WORDS;
  const numRows = rows.length / ROW_RESULT_WORDS;
  return {
    outputs: Array.from({ length: numOutputs }, (_, i) => ({
      tokenId: outputs[i * RESULT_WORDS + RESULT_FIELD.tokenId]!,
      logprob: floats[i * RESULT_WORDS + RESULT_FIELD.logprob]!,
      rank: outputs[i * RESULT_WORDS + RESULT_FIELD.rank]!,
      endReason: outputs[i * RESULT_WORDS + RESULT_FIELD.endReason]!,
    })),
    rows: Array.from({ length: numRows }, (_, i) => ({
      skipped: rows[i * ROW_RESULT_WORDS + ROW_RESULT_FIELD.skipped] === 1,
      numAccepted: rows[i * ROW_RESULT_WORDS + ROW_RESULT_FIELD.numAccepted]!,
      numComputed: rows[i * ROW_RESULT_WORDS + ROW_RESULT_FIELD.numComputed]!,
      historyLength: rows[i * ROW_RESULT_WORDS + ROW_RESULT_FIELD.historyLength]!,
    })),
  };
}

/** True while nothing has ended the slot. */
export function goesOn(outputs: readonly OutputResult[]): boolean {
  return outputs.every(({ endReason }) => endReason === END_REASON.none);
}
