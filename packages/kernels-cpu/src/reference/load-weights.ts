import { type FileHandle, open } from 'node:fs/promises';
import { type Program, UnsupportedError, type WeightRecord } from '@kvasir/interfaces';
import type { DecodeWeight } from './decode-weight.js';

/** A weight as numbers: `[N, K]`, or `[1, N]` for a vector. */
export interface LoadedWeight {
  readonly numRows: number;
  readonly numColumns: number;
  readonly values: Float64Array;
}

/** Reads and decodes every weight of a program. */
export async function loadWeights(program: Program, decode: DecodeWeight): Promise<readonly LoadedWeight[]> {
  const files: FileHandle[] = [];
  try {
    // One after the other: what was opened before one that cannot be is closed too.
    for (const { path } of program.files) files.push(await open(path));
    const loaded: LoadedWeight[] = [];
    for (const weight of program.weights) {
      const [part] = weight.parts;
      if (part === undefined || weight.parts.length > 1) {
        throw new UnsupportedError('weights in parts', `${weight.name} has ${weight.parts.length} parts, expected one`);
      }
      const bytes = new Uint8Array(part.length);
      await files[part.file]!.read(bytes, 0, part.length, part.offset);
      loaded.push(decodeRecord(weight, bytes, decode));
    }
    return loaded;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

function decodeRecord(weight: WeightRecord, bytes: Uint8Array, decode: DecodeWeight): LoadedWeight {
  const numColumns = weight.shape.at(-1) as number;
  const numRows = weight.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  // The elements of a bias lie in the order of the rows that they are added to.
  const isVector = weight.shape.length === 1;
  const stored = decode(weight.encoding, bytes, numRows * numColumns);
  const values = new Float64Array(numRows * numColumns);
  for (let row = 0; row < numRows; row++) {
    const target = isVector ? 0 : placeOf(weight, row);
    for (let column = 0; column < numColumns; column++) {
      const to = isVector ? placeOf(weight, column) : column;
      values[target * numColumns + to] = stored[row * numColumns + column]!;
    }
  }
  return { numRows, numColumns, values };
}

/** Where a stored row, or element of a bias, belongs: rope partners lie side by side in some files, and half a head apart here. */
function placeOf({ rowOrder }: WeightRecord, row: number): number {
  if (rowOrder === undefined) return row;
  const { headDim } = rowOrder;
  const within = row % headDim;
  return row - within + (within >> 1) + (within % 2) * (headDim / 2);
}
