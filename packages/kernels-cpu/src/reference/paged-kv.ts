import type { DecoderProgram } from '@kvasir/interfaces';

/** Where a layer's keys and values lie within the tokens of its group's blocks. */
interface LayerPlace {
  readonly group: number;
  readonly offset: number;
  readonly width: number;
}

/** Numbers a token takes in the widest group of `program`. */
export function kvWidth({ kvGroups, kvLayers }: DecoderProgram): number {
  const widthOf = (layer: number) => 2 * kvLayers[layer]!.numKvHeads * kvLayers[layer]!.headDim;
  return Math.max(0, ...kvGroups.map(({ layers }) => layers.reduce((sum, layer) => sum + widthOf(layer), 0)));
}

/** Places of every layer of `program`: in the order of its group, keys before values. */
export function placeLayers({ kvGroups, kvLayers }: DecoderProgram): readonly LayerPlace[] {
  const places: LayerPlace[] = [];
  kvGroups.forEach(({ layers }, group) => {
    let offset = 0;
    for (const layer of layers) {
      const width = kvLayers[layer]!.numKvHeads * kvLayers[layer]!.headDim;
      places[layer] = { group, offset, width };
      offset += 2 * width;
    }
  });
  return places;
}

/**
 * What an int8 cache holds of one token's key or value in one KV head: whole multiples of a 127th of its largest number.
 * A number that is not finite makes all of them NaN.
 */
function roundToCodes(vector: Float64Array): Float64Array {
  const peak = vector.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  if (peak === 0) return vector;
  const scale = Number.isFinite(peak) ? peak / 127 : Number.NaN;
  return vector.map((each) => roundHalfToEven(each / scale) * scale);
}

function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** The KV pool in double precision: `[numBlocks, blockSize, width]`. */
export class PagedKv {
  readonly #blockSize: number;
  readonly #width: number;
  readonly #pool: Float64Array;
  readonly #isInt8: boolean;

  constructor(numBlocks: number, blockSize: number, width: number, dtype: 'float32' | 'int8' = 'float32') {
    this.#isInt8 = dtype === 'int8';
    this.#blockSize = blockSize;
    this.#width = width;
    this.#pool = new Float64Array(numBlocks * blockSize * width);
  }

  /** The numbers of the token at `position`, as a view. */
  token(table: readonly number[], position: number, offset: number, width: number): Float64Array {
    const block = table[Math.floor(position / this.#blockSize)]!;
    const at = (block * this.#blockSize + (position % this.#blockSize)) * this.#width + offset;
    return this.#pool.subarray(at, at + width);
  }

  /** Stores numbers of the token at `position` as the cache's type holds them, KV head by KV head. */
  write(table: readonly number[], position: number, offset: number, numbers: Float64Array, headDim: number): void {
    const stored = this.token(table, position, offset, numbers.length);
    for (let from = 0; from < numbers.length; from += headDim) {
      const head = numbers.subarray(from, from + headDim);
      stored.set(this.#isInt8 ? roundToCodes(head) : head, from);
    }
  }

  copy(src: number, dst: number): void {
    this.block(dst).set(this.block(src));
  }

  /** All numbers of a block, as a view. */
  block(id: number): Float64Array {
    const length = this.#blockSize * this.#width;
    return this.#pool.subarray(id * length, (id + 1) * length);
  }
}
