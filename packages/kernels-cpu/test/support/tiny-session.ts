import type { NumericMode, Session, SessionOptions } from '@kvasir/interfaces';
import { type CpuBackendOptions, createCpuBackend } from '@kvasir/kernels-cpu';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { decodeRow } from '@kvasir/quant';
import { createTinyModel, type TinyModelSpec } from '@kvasir/testing';

/** EOS of every tiny session. */
const EOS = 1;

/** A small model with fixed sizes, for tests that are about something else. */
export const PLAIN_SPEC: TinyModelSpec = {
  family: 'gemma',
  numLayers: 2,
  hiddenSize: 64,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 16,
  intermediateSize: 64,
  vocabSize: 50,
  maxPositions: 512,
  tied: true,
  window: 8,
  softcap: undefined,
  bias: false,
  interleavedRope: true,
  encoding: 'q4_1',
  seed: 7,
};

/** Options of a session over one program; 33 slots fit a request and 32 others. */
export const TINY_OPTIONS: Omit<SessionOptions, 'programs'> = {
  mode: 'auto',
  kvCacheDtype: 'auto',
  blockSize: 16,
  numBlocks: 600,
  maxSlots: 33,
  maxModelLen: 128,
  maxTokensPerStep: 256,
  maxOutputsPerStep: 160,
  maxTopLogprobs: 4,
  maxInFlight: 1,
  eosTokenIds: [EOS],
};

/** A session and its options; disposing closes it and removes the model. */
export interface TinySession extends AsyncDisposable {
  readonly session: Session;
  readonly options: SessionOptions;
}

/** How a tiny session differs from {@link TINY_OPTIONS}. */
export interface TinySessionChoice {
  readonly backend?: CpuBackendOptions | 'reference';
  readonly options?: Partial<SessionOptions>;
  readonly mode?: NumericMode;
}

export async function openTiny(spec: TinyModelSpec, choice: TinySessionChoice = {}): Promise<TinySession> {
  const model = createTinyModel(spec);
  const mode = choice.mode ?? 'auto';
  const options = {
    ...TINY_OPTIONS,
    programs: [model.program],
    mode,
    maxModelLen: Math.min(TINY_OPTIONS.maxModelLen, spec.maxPositions),
    ...choice.options,
  };
  const backend =
    choice.backend === 'reference'
      ? createReferenceBackend({ decodeWeight: decodeRow })
      : createCpuBackend(choice.backend);
  const session = await backend.openSession(options);
  return {
    session,
    options,
    [Symbol.asyncDispose]: async () => {
      await session.close();
      model[Symbol.dispose]();
    },
  };
}
