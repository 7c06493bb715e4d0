import { encodingName } from '@kvasir/quant';
import { SAFETENSORS_ENCODINGS } from '../checkpoint/safetensors/safetensors-types.js';
import { InvalidCheckpointError } from '../errors.js';
import { padding, type TensorData, tensorDataBytes, writeTensorFile } from './tensor-data.js';

/**
 * Writes one safetensors file, tensors in the given order.
 * @param metadata - `__metadata__`.
 * @throws {@link InvalidCheckpointError} For an encoding other than f32, f16 and bf16.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorData[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + tensorDataBytes(tensor);
    header[tensor.name] = { dtype: dtypeOf(path, tensor), shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const text = Buffer.concat([json, Buffer.alloc(padding(json.length, 8), ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeTensorFile(path, Buffer.concat([length, text]), tensors, 1);
}

function dtypeOf(path: string, { name, encoding }: TensorData): string {
  const wanted = encodingName(encoding);
  const dtype = Object.keys(SAFETENSORS_ENCODINGS).find((candidate) => candidate.toLowerCase() === wanted);
  if (dtype !== undefined) return dtype;
  throw new InvalidCheckpointError(
    path,
    `tensor ${name}`,
    `safetensors has no dtype for the encoding ${wanted}; decode it first`,
  );
}
