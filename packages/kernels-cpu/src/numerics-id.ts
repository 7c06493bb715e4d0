import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { EncoderOptions, Program, SessionOptions, WeightFile } from '@kvasir/interfaces';

const HEAD_BYTES = 65_536;
const NUM_SAMPLES = 64;
const SAMPLE_BYTES = 4096;

/** Layout of KV blocks and order of sums; counts up when a change of kernels changes bits. */
const KERNEL_REVISION = 1;

/**
 * Names everything that decides the bits of a session. Weights count by size, head and samples spread over each file:
 * reading all of a large file would take longer than loading it.
 */
export function numericsId(options: SessionOptions, kernelPath: string, kvCacheDtype: string): Promise<string> {
  const { mode, blockSize, programs } = options;
  return hashPrograms({ mode, blockSize, kernelPath, kvCacheDtype }, programs);
}

/** As {@link numericsId}, of an encoder session. */
export function encoderNumericsId({ mode, program }: EncoderOptions, kernelPath: string): Promise<string> {
  return hashPrograms({ mode, kernelPath }, [program]);
}

async function hashPrograms(settings: object, programs: readonly Program[]): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify({ revision: KERNEL_REVISION, ...settings }));
  for (const program of programs) {
    hash.update(JSON.stringify({ ...program, files: program.files.map((file) => file.sizeBytes) }));
    for (const file of program.files) hash.update(await fingerprint(file));
  }
  return hash.digest('hex');
}

async function fingerprint({ path, sizeBytes }: WeightFile): Promise<Buffer> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const read = async (position: number, length: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      hash.update(buffer.subarray(0, bytesRead));
    };
    await read(0, Math.min(sizeBytes, HEAD_BYTES));
    for (let i = 1; i <= NUM_SAMPLES; i++) {
      await read(Math.max(0, Math.floor((sizeBytes * i) / NUM_SAMPLES) - SAMPLE_BYTES), SAMPLE_BYTES);
    }
  } finally {
    await file.close();
  }
  return hash.digest();
}
