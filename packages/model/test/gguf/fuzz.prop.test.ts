import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KvasirError } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { inspectCheckpoint, openModel, validateProgram } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeHuggingFaceFolder, writeTinyLlama } from '../support/tiny-models.js';

const folder = temporaryFolder();

/** Opens damaged bytes: success or a typed error, within seconds and without allocating more than a few times the file. */
async function survives(path: string, bytes: Buffer): Promise<void> {
  writeFileSync(path, bytes);
  const before = process.memoryUsage().arrayBuffers;
  const start = performance.now();
  try {
    validateProgram((await openModel(path)).program);
    await inspectCheckpoint(path);
  } catch (error) {
    if (!KvasirError.isInstance(error) || !['ERR_INVALID_CHECKPOINT', 'ERR_UNSUPPORTED'].includes(error.code))
      throw error;
  }
  expect(performance.now() - start).toBeLessThan(5000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
}

const damage = (size: number) =>
  fc.record({
    flips: fc.array(fc.tuple(fc.nat(size - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
    // A whole 64-bit field at once, with the values that break arithmetic.
    fields: fc.array(
      fc.tuple(
        fc.nat(size - 8),
        fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
      ),
      { maxLength: 2 },
    ),
    keep: fc.option(fc.nat(size), { nil: undefined, freq: 4 }),
  });

function apply(
  bytes: Buffer,
  { flips, fields, keep }: { flips: [number, number][]; fields: [number, bigint][]; keep: number | undefined },
): Buffer {
  const damaged = Buffer.from(bytes);
  for (const [at, value] of flips) damaged[at] = value;
  for (const [at, value] of fields) damaged.writeBigUInt64LE(value, at);
  return damaged.subarray(0, keep ?? damaged.length);
}

describe('damaged files', () => {
  let gguf: Buffer;
  let safetensors: Buffer;

  beforeAll(async () => {
    await writeTinyLlama(join(folder, 'tiny.gguf'));
    await writeHuggingFaceFolder(join(folder, 'hf'), 'llama', { layers: 1 });
    gguf = readFileSync(join(folder, 'tiny.gguf'));
    safetensors = readFileSync(join(folder, 'hf', 'model.safetensors'));
  });

  it('a GGUF header never crashes, hangs or allocates hugely', async () => {
    // Damage within the header, where it matters; the rest of the file stays.
    await fc.assert(
      fc.asyncProperty(damage(4000), (how) => survives(join(folder, 'damaged.gguf'), apply(gguf, how))),
      fcParameters(300),
    );
  });

  it('a safetensors header never crashes, hangs or allocates hugely', async () => {
    await fc.assert(
      fc.asyncProperty(damage(900), (how) =>
        survives(join(folder, 'hf', 'damaged.safetensors'), apply(safetensors, how)),
      ),
      fcParameters(200),
    );
  });
});
