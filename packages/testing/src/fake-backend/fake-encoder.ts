import {
  type EncodeBatch,
  type EncoderInfo,
  type EncoderOptions,
  type EncoderProgram,
  type EncoderSession,
  InvariantError,
  KvasirError,
} from '@kvasir/interfaces';
import { checkEncodeBatch } from '@kvasir/kernels-cpu/reference';
import { EMPTY_PREFIX, extendPrefix, scramble } from './prefix-hash.js';

/** When and whether the batches of a fake encoder run. */
export interface FakeEncoderControl {
  /** Runs `work` whenever it likes, once, and settles with it. Batches are gated one after the other, in order. */
  readonly gate: (batch: EncodeBatch, work: () => Float32Array) => Promise<Float32Array>;
  /** Makes a batch fail as a device would. */
  readonly fails: (batch: EncodeBatch) => boolean;
  /** Sees every batch that was accepted, before it runs. */
  readonly onBatch?: (batch: EncodeBatch) => void;
}

/** An encoder without a model: the vector of a sequence is a hash of its tokens, whatever it is batched with. */
export class FakeEncoder implements EncoderSession {
  readonly info: EncoderInfo;
  readonly width: number;
  readonly #options: EncoderOptions;
  readonly #control: FakeEncoderControl;
  #lastBatch: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(info: EncoderInfo, options: EncoderOptions, control: FakeEncoderControl) {
    this.info = info;
    this.width = options.program.values[options.program.output]!.width;
    this.#options = options;
    this.#control = control;
  }

  async encode(batch: EncodeBatch): Promise<Float32Array> {
    if (this.#isClosed) throw new KvasirError('ERR_SESSION_CLOSED', 'the session is closed: open another');
    checkEncodeBatch(batch, this.#options);
    const sent = Int32Array.from(batch.tokenIds);
    const result = this.#lastBatch.then(() =>
      this.#control.gate(batch, () => {
        if (sent.some((id, index) => batch.tokenIds[index] !== id)) {
          throw new InvariantError('a batch changed between encode and result', { numTokens: sent.length });
        }
        return this.#run(batch);
      }),
    );
    this.#lastBatch = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lastBatch;
  }

  #run(batch: EncodeBatch): Float32Array {
    this.#control.onBatch?.(batch);
    if (this.#control.fails(batch)) throw new KvasirError('ERR_DEVICE', 'the batch failed as asked');
    const vectors = new Float32Array(batch.lengths.length * this.width);
    let start = 0;
    for (const [index, length] of batch.lengths.entries()) {
      const tokenIds = batch.tokenIds.subarray(start, start + length);
      vectors.set(fakeEmbedding(this.#options.program, tokenIds), index * this.width);
      start += length;
    }
    return vectors;
  }
}

/** The vector that a {@link FakeEncoder} gives: numbers in [-1, 1) by a hash of all tokens, of length 1 if the program normalises. */
export function fakeEmbedding(program: EncoderProgram, tokenIds: ArrayLike<number>): Float32Array {
  const hash = Array.from(tokenIds).reduce(extendPrefix, EMPTY_PREFIX);
  const width = program.values[program.output]!.width;
  const vector = Float32Array.from(
    { length: width },
    (_, i) => (scramble(hash ^ Math.imul(i + 1, 0x9e3779b1)) / 2 ** 32) * 2 - 1,
  );
  const isNormalized = program.ops.some((op) => op.op === 'pool' && op.normalize);
  const norm = Math.max(Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0)), 1e-12);
  return isNormalized ? vector.map((x) => x / norm) : vector;
}
