/** Pieces of a GGUF header, written byte by byte so that each may be wrong. */
export const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

export const text = (value: string | Buffer) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};

export const pair = (key: string | Buffer, type: number, ...value: Buffer[]) =>
  Buffer.concat([text(key), u32(type), ...value]);

export interface RawTensor {
  readonly name?: string;
  readonly dimensions?: readonly (number | bigint)[];
  readonly numDimensions?: number;
  readonly type?: number;
  readonly offset?: number | bigint;
}

export const tensor = ({
  name = 't',
  dimensions = [32],
  numDimensions = dimensions.length,
  type = 0,
  offset = 0,
}: RawTensor = {}) => Buffer.concat([text(name), u32(numDimensions), ...dimensions.map(u64), u32(type), u64(offset)]);

export interface RawGguf {
  readonly magic?: string;
  readonly version?: number;
  readonly numTensors?: number | bigint;
  readonly numPairs?: number | bigint;
  readonly pairs?: readonly Buffer[];
  readonly tensors?: readonly Buffer[];
  /** Bytes of the data section. */
  readonly dataBytes?: number;
}

/** A header, padding to 32 and a data section; valid unless told otherwise. */
export function rawGguf({
  magic = 'GGUF',
  version = 3,
  pairs = [],
  tensors = [tensor()],
  dataBytes = 128,
  ...counts
}: RawGguf = {}): Buffer {
  const { numTensors = tensors.length, numPairs = pairs.length } = counts;
  const header = Buffer.concat([
    Buffer.from(magic),
    u32(version),
    u64(numTensors),
    u64(numPairs),
    ...pairs,
    ...tensors,
  ]);
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(dataBytes)]);
}
