import { Embedder } from '@kvasir/engine';
import type { EncodeOptions } from '@kvasir/interfaces';
import { createFakeBackend, createFakeEncoderProgram, type FakeEncoderControl, fakeEmbedding } from '@kvasir/testing';
import { ByteTokenizer, EOS } from './byte-tokenizer.js';

export const WIDTH = 8;
const CLS = 256;

export interface FakeEmbedderOptions {
  readonly name?: string;
  readonly vocabSize?: number;
  readonly maxModelLen?: number;
  readonly maxQueuedInputs?: number;
  readonly control?: Partial<FakeEncoderControl>;
}

/** A token a byte, one before and one after. */
class EncoderTokenizer extends ByteTokenizer {
  override encode(text: string, { addSpecialTokens = true }: EncodeOptions = {}): Int32Array {
    const bytes = super.encode(text, { addSpecialTokens: false });
    return addSpecialTokens ? Int32Array.of(CLS, ...bytes, EOS) : bytes;
  }
}

/** The engine's own embedder over an encoder whose vectors are hashes of tokens. */
export async function createFakeEmbedder(options: FakeEmbedderOptions = {}): Promise<Embedder> {
  const { name = 'fake-embedder', vocabSize = 258, maxModelLen = 32, maxQueuedInputs = 64, control = {} } = options;
  const program = createFakeEncoderProgram({ name, vocabSize, width: WIDTH });
  const limits = { maxModelLen, maxTokensPerBatch: 64, maxSequencesPerBatch: 4, maxQueuedInputs };
  const session = await createFakeBackend({ encoders: control }).openEncoder({ program, mode: 'float32', ...limits });
  return new Embedder({ name, session, tokenizer: new EncoderTokenizer(), limits, isNormalized: true });
}

/** The vector of a text. */
export function vectorOfText(text: string): Float32Array {
  return vectorOfIds([CLS, ...new TextEncoder().encode(text), EOS]);
}

export function vectorOfIds(tokenIds: readonly number[]): Float32Array {
  return fakeEmbedding(createFakeEncoderProgram({ vocabSize: 258, width: WIDTH }), tokenIds);
}

/** Cosine in double precision, written another way. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x).reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Holds batches until `open`. */
export function createGate(): {
  readonly control: Partial<FakeEncoderControl>;
  readonly numHeld: () => number;
  open(): void;
} {
  const held: (() => void)[] = [];
  let isOpen = false;
  return {
    control: {
      gate: (_batch, work) =>
        new Promise((resolve) => {
          const run = () => resolve(work());
          if (isOpen) run();
          else held.push(run);
        }),
    },
    numHeld: () => held.length,
    open: () => {
      isOpen = true;
      for (const run of held.splice(0)) run();
    },
  };
}
