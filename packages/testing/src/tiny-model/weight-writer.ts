import { closeSync, openSync, writeSync } from 'node:fs';
import type { Encoding, RowOrder, WeightFile, WeightId, WeightRecord } from '@kvasir/interfaces';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS, encodeRow, encodingBlockSize } from '@kvasir/quant';
import type { EncodingName } from './tiny-model-spec.js';

const ALIGNMENT = 32;

/** Writes random weights to one file and keeps their records. */
export class WeightWriter {
  readonly records: WeightRecord[] = [];
  readonly #path: string;
  readonly #descriptor: number;
  readonly #random: () => number;
  #offset = 0;

  /** @param random - Uniform in [0, 1). */
  constructor(path: string, random: () => number) {
    this.#path = path;
    this.#descriptor = openSync(path, 'w');
    this.#random = random;
  }

  /** A matrix `[numRows, numColumns]` of numbers around 0, scaled so that its outputs keep the size of its inputs. */
  matrix(name: string, numRows: number, numColumns: number, encoding: EncodingName, rowOrder?: RowOrder): WeightId {
    const scale = Math.sqrt(3 / numColumns);
    return this.#write(name, [numRows, numColumns], scale, 0, encodingFor(encoding, numColumns), rowOrder);
  }

  /** A vector of f32 around `centre`. */
  vector(name: string, length: number, centre: number, rowOrder?: RowOrder): WeightId {
    return this.#write(name, [length], 0.2, centre, DENSE_ENCODINGS.f32, rowOrder);
  }

  /** Closes the file; no more weights. */
  close(): WeightFile {
    closeSync(this.#descriptor);
    return { path: this.#path, sizeBytes: this.#offset };
  }

  #write(
    name: string,
    shape: readonly number[],
    scale: number,
    centre: number,
    encoding: Encoding,
    rowOrder?: RowOrder,
  ): WeightId {
    const numElements = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: numElements }, () => centre + scale * (2 * this.#random() - 1));
    const bytes = encodeRow(encoding, values);
    const offset = Math.ceil(this.#offset / ALIGNMENT) * ALIGNMENT;
    writeSync(this.#descriptor, bytes, 0, bytes.length, offset);
    this.#offset = offset + bytes.length;
    const parts = [{ file: 0, offset, length: bytes.length }];
    const order = rowOrder === undefined ? {} : { rowOrder };
    return (this.records.push({ name, shape, encoding, parts, shard: 'replicated', ...order }) - 1) as WeightId;
  }
}

function encodingFor(name: EncodingName, numColumns: number): Encoding {
  if (name === 'f32' || name === 'f16' || name === 'bf16') return DENSE_ENCODINGS[name];
  const encoding = BLOCK_ENCODINGS[name];
  return numColumns % encodingBlockSize(encoding) === 0 ? encoding : DENSE_ENCODINGS.f32;
}
