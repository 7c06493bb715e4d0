import type { Tokenizer } from '@kvasir/interfaces';
import {
  createFakeBackend,
  createFakeEncoderProgram,
  createFakeTokenizer,
  type FakeEncoderControl,
  fakeEmbedding,
} from '@kvasir/testing';
import { type Clock, Embedder } from '../../src/index.js';

/** Tokens that the model of these tests puts around every text. */
export const CLS = 14;
export const SEP = 15;
const VOCAB_SIZE = 16;
export const WIDTH = 8;

export interface EmbedderHarness {
  readonly maxModelLen?: number;
  readonly maxTokensPerBatch?: number;
  readonly maxSequencesPerBatch?: number;
  readonly maxQueuedInputs?: number;
  readonly normalize?: boolean;
  readonly clock?: Clock;
  readonly control?: Partial<FakeEncoderControl>;
}

const PROGRAMS = [true, false].map((normalize) =>
  createFakeEncoderProgram({ vocabSize: VOCAB_SIZE, width: WIDTH, normalize }),
);

/** An embedder over the fake encoder: a character a token, `a` is 0, with CLS and SEP around texts. */
export async function startEmbedder(options: EmbedderHarness = {}): Promise<Embedder> {
  const { normalize = true, clock, control = {} } = options;
  const limits = {
    maxModelLen: options.maxModelLen ?? 8,
    maxTokensPerBatch: options.maxTokensPerBatch ?? 16,
    maxSequencesPerBatch: options.maxSequencesPerBatch ?? 4,
    maxQueuedInputs: options.maxQueuedInputs ?? 64,
  };
  const program = PROGRAMS[normalize ? 0 : 1]!;
  const session = await createFakeBackend({ encoders: control }).openEncoder({ program, mode: 'float32', ...limits });
  return new Embedder({
    name: program.name,
    session,
    tokenizer: framed(createFakeTokenizer(VOCAB_SIZE)),
    limits,
    isNormalized: normalize,
    ...(clock === undefined ? {} : { clock }),
  });
}

/** The vector that token ids must get, whatever they are batched with. */
export function vectorOf(tokenIds: readonly number[], normalize = true): Float32Array {
  return fakeEmbedding(PROGRAMS[normalize ? 0 : 1]!, tokenIds);
}

/** Token ids of a text, special tokens included. */
export function idsOf(text: string): readonly number[] {
  return [CLS, ...[...text].map((each) => each.charCodeAt(0) - 97), SEP];
}

function framed(plain: Tokenizer): Tokenizer {
  return {
    ...plain,
    encode: (text, { addSpecialTokens = true } = {}) => {
      const ids = plain.encode(text);
      return addSpecialTokens ? Int32Array.of(CLS, ...ids, SEP) : ids;
    },
  };
}

/** Batches wait until they are let through, and fail when told. */
export class BatchGate {
  readonly sizes: (readonly number[])[] = [];
  readonly #held: (() => void)[] = [];
  #isOpen = false;
  shouldFail = false;

  readonly control: FakeEncoderControl = {
    gate: (batch, work) =>
      new Promise((resolve, reject) => {
        this.sizes.push(Array.from(batch.lengths));
        this.#held.push(() => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        });
        if (this.#isOpen) this.release();
      }),
    fails: () => this.shouldFail,
  };

  get numHeld(): number {
    return this.#held.length;
  }

  /** Lets the batch that runs end. */
  release(): void {
    this.#held.shift()?.();
  }

  /** From now on nothing waits. */
  open(): void {
    this.#isOpen = true;
    while (this.#held.length > 0) this.release();
  }
}
