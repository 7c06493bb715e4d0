import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { LLM, type LoadOptions } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import {
  convertToSafetensors,
  type ModelDescription,
  openModel,
  readSafetensorsCheckpoint,
  type TensorInfo,
  writeSafetensors,
} from '@kvasir/model';
import { DENSE_ENCODINGS, decodeRow, encodeRow } from '@kvasir/quant';
import { readGoldens } from '@kvasir/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIVERGENCE_LOGPROBS, measureDivergence } from './support/divergence.js';
import { realModelPath } from './support/real-model.js';
import { temporaryFolder } from './support/temporary-folder.js';

const folder = temporaryFolder();

/** Opens a folder without a tokenizer of its own, with that of the GGUF file it was made from. */
async function openWithTokenizerOf(path: string, original: ModelDescription): Promise<ModelDescription> {
  writeFileSync(join(path, 'tokenizer.json'), '{}');
  const { tokenizer, chatTemplate } = original;
  return { ...(await openModel(path)), tokenizer, ...(chatTemplate === undefined ? {} : { chatTemplate }) };
}

const load = (model: ModelDescription, options: Partial<LoadOptions> = {}) =>
  LLM.load({ model, backend: createCpuBackend(), maxModelLen: 256, maxNumSeqs: 1, ...options });

/** Greedy tokens with the log-probabilities of their five best. */
async function continueGreedily(model: ModelDescription, prompts: readonly (readonly number[])[]) {
  const llm = await load(model, { dtype: 'float32' });
  try {
    const params = { temperature: 0, maxTokens: 32, ignoreEos: true, logprobs: 5, promptLogprobs: 1 };
    const completions = await llm.generate(prompts, params);
    return completions.map(({ tokenIds, logprobs, promptLogprobs }) => ({
      tokenIds: [...tokenIds],
      logprobs: [...(promptLogprobs ?? []), ...(logprobs ?? [])].flatMap((position) =>
        position === undefined ? [] : [position.chosen.logprob, ...position.top.map((top) => top.logprob)],
      ),
    }));
  } finally {
    await llm.close();
  }
}

describe.each(['gemma3', 'smollm2'] as const)('%s as GGUF and as safetensors', { timeout: 240_000 }, (name) => {
  let gguf: ModelDescription;
  let safetensors: ModelDescription;
  const path = join(folder, name);
  beforeAll(async () => {
    gguf = await openModel(realModelPath(name));
    await convertToSafetensors(realModelPath(name), path);
    safetensors = await openWithTokenizerOf(path, gguf);
  }, 240_000);
  // A gigabyte; the other is needed below.
  if (name === 'gemma3') afterAll(() => rmSync(path, { recursive: true }));

  test('is the same program', () => {
    expect(safetensors.format).toBe('safetensors');
    expect(safetensors.program.ops).toHaveLength(gguf.program.ops.length);
    expect(safetensors.parameterCount).toBe(gguf.parameterCount);
    expect(safetensors.maxPositions).toBe(gguf.maxPositions);
    expect(new Set(safetensors.generation.eosTokenIds)).toEqual(new Set(gguf.generation.eosTokenIds));
    expect(safetensors.program.weights.every(({ rowOrder }) => rowOrder === undefined)).toBe(true);
  });

  test('gives the same tokens in float32', async () => {
    const prompts = readGoldens(name)
      .prompts.slice(0, 2)
      .map(({ ids }) => ids);
    const expected = await continueGreedily(gguf, prompts);
    const actual = await continueGreedily(safetensors, prompts);
    expect(expected.map(({ tokenIds }) => tokenIds.length)).toEqual([32, 32]);
    expect(actual.map(({ tokenIds }) => tokenIds)).toEqual(expected.map(({ tokenIds }) => tokenIds));
    const errors = expected.flatMap(({ logprobs }, i) =>
      logprobs.map((logprob, at) => Math.abs(logprob - (actual[i]?.logprobs[at] as number))),
    );
    process.stdout.write(
      `${name} as GGUF and as safetensors: ${errors.length} log-probabilities, largest difference ${Math.max(...errors).toExponential(2)}\n`,
    );
    // To the bit: Gemma's norms are stored as 1 + w in one and as w in the other, but from 0.5 up that is exact.
    expect(Math.max(...errors)).toBe(0);
  });
});

describe('smollm2 as safetensors of bfloat16', { timeout: 240_000 }, () => {
  const source = join(folder, 'smollm2');
  const path = join(folder, 'bfloat16');
  let llm: LLM;

  beforeAll(async () => {
    const gguf = await openModel(realModelPath('smollm2'));
    mkdirSync(path);
    writeFileSync(join(path, 'config.json'), readFileSync(join(source, 'config.json')));
    await rewrite(join(source, 'model.safetensors'), join(path, 'model.safetensors'));
    llm = await load(await openWithTokenizerOf(path, gguf), { maxModelLen: 512, maxLogprobs: DIVERGENCE_LOGPROBS });
  }, 240_000);
  afterAll(() => llm.close());

  test('stays close to float32 in auto', async () => {
    const { mean, numPositions, sameTop } = await measureDivergence(llm, readGoldens('smollm2'));
    process.stdout.write(
      `smollm2 bfloat16 auto: mean KL ${mean.toExponential(2)} over ${numPositions} positions, same top token ${(100 * sameTop).toFixed(1)} %\n`,
    );
    expect(numPositions).toBeGreaterThan(350);
    // Rounding to eight bits of mantissa moves less than quantizing to four and a half does.
    expect(mean).toBeLessThan(1e-3);
    expect(mean).toBeGreaterThanOrEqual(0);
    expect(sameTop).toBeGreaterThan(0.97);
  });
});

/** Copies a float32 checkpoint as bfloat16, one tensor at a time. */
async function rewrite(from: string, to: string): Promise<void> {
  const { tensors } = readSafetensorsCheckpoint(from);
  const encoding = DENSE_ENCODINGS.bf16;
  const file = await open(from, 'r');
  const recode = async ({ bytes: { offset, length } }: TensorInfo) => {
    const bytes = new Uint8Array(length);
    await file.read(bytes, 0, length, offset);
    return encodeRow(encoding, decodeRow(DENSE_ENCODINGS.f32, bytes, length / 4));
  };
  try {
    await writeSafetensors(
      to,
      [...tensors.values()].map((tensor) => ({
        name: tensor.name,
        shape: tensor.shape,
        encoding,
        data: () => recode(tensor),
      })),
    );
  } finally {
    await file.close();
  }
}
