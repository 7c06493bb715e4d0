import type { Program } from '@kvasir/interfaces';

/** Where a layer's keys and values lie within the tokens of its group's blocks. */
interface LayerPlace {
  readonly group: number;
  readonly offset: number;
  readonly width: number;
}

/** Numbers a token takes in the widest group of `program`. */
export function kvWidth({ kvGroups, kvLayers }: Program): number {
  const widthOf = (layer: number) => 2 * kvLayers[layer]!.numKvHeads * kvLayers[layer]!.headDim;
  return Math.max(0, ...kvGroups.map(({ layers }) => layers.reduce((sum, layer) => sum + widthOf(layer), 0)));
}

/** Places of every layer of `program`: in the order of its group, keys before values. */
export function placeLayers({ kvGroups, kvLayers }: Program): readonly LayerPlace[] {
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

/** The KV pool in double precision: `[numBlocks, blockSize, width]`. */
export class PagedKv {
  readonly #blockSize: number;
  readonly #width: number;
  readonly #pool: Float64Array;

  constructor(numBlocks: number, blockSize: number, width: number) {
    this.#blockSize = blockSize;
    this.#width = width;
    this.#pool = new Float64Array(numBlocks * blockSize * width);
  }

  /** The numbers of the token at `position`, as a view to read or write. */
  token(table: readonly number[], position: number, offset: number, width: number): Float64Array {
    const block = table[Math.floor(position / this.#blockSize)]!;
    const at = (block * this.#blockSize + (position % this.#blockSize)) * this.#width + offset;
    return this.#pool.subarray(at, at + width);
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
