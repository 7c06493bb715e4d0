import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program, WeightRecord } from '@kvasir/interfaces';
import { BLOCK_ENCODINGS, decodeRow } from '@kvasir/quant';
import { describe, expect, it } from 'vitest';
import { convertToSafetensors, decoderProgram, openModel, validateProgram, writeGguf } from '../src/index.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { gemma3Metadata, gemma3Shapes, llamaMetadata, llamaShapes, TINY, tinyTensors } from './support/tiny-models.js';

const folder = temporaryFolder();

function floats(program: Program, { parts, shape, encoding }: WeightRecord): Float32Array {
  const [part] = parts as [WeightRecord['parts'][number]];
  const bytes = readFileSync(program.files[part.file]?.path as string).subarray(part.offset, part.offset + part.length);
  return decodeRow(
    encoding,
    bytes,
    shape.reduce((a, b) => a * b),
  );
}

async function both(family: 'llama' | 'gemma3') {
  const path = join(folder, `${family}.gguf`);
  const shapes =
    family === 'llama'
      ? { ...llamaShapes(), 'output.weight': [TINY.vocab, TINY.hidden], 'blk.0.attn_q.bias': [64] }
      : gemma3Shapes(6);
  const scaling = {
    [`${family}.rope.scaling.type`]: 'linear',
    [`${family}.rope.scaling.factor`]: { type: 'f32', value: 2 },
  } as const;
  const metadata = family === 'llama' ? llamaMetadata(scaling) : gemma3Metadata(6, scaling);
  await writeGguf(path, { metadata, tensors: tinyTensors(shapes, BLOCK_ENCODINGS.q8_0) });
  await convertToSafetensors(path, join(folder, family));
  writeFileSync(join(folder, family, 'tokenizer.json'), '{}');
  return [await openModel(path), await openModel(join(folder, family))] as const;
}

describe.each(['llama', 'gemma3'] as const)('%s', (family) => {
  it('becomes a folder that makes the same program', async () => {
    const [gguf, hf] = await both(family);
    validateProgram(hf.program);
    const offset = family === 'gemma3' ? 1 : 0;
    expect(hf.program.ops).toEqual(
      gguf.program.ops.map((op) => (op.op === 'rmsNorm' ? { ...op, weightOffset: offset } : op)),
    );
    expect(decoderProgram(hf).ropeTables).toEqual(decoderProgram(gguf).ropeTables);
    expect(decoderProgram(hf).kvGroups).toEqual(decoderProgram(gguf).kvGroups);
    expect(hf.program.maxPositions).toBe(gguf.program.maxPositions);
    expect(hf.generation).toEqual(gguf.generation);
  });

  it('holds every weight decoded: rows in their own order, norms less their offset', async () => {
    const [gguf, hf] = await both(family);
    const norms = new Set(gguf.program.ops.flatMap((op) => (op.op === 'rmsNorm' ? [op.weight as number] : [])));
    gguf.program.weights.forEach((weight, index) => {
      const expected = floats(gguf.program, weight);
      const actual = floats(hf.program, hf.program.weights[index] as WeightRecord);
      const columns = weight.shape.length === 1 ? 1 : (weight.shape[1] as number);
      for (let row = 0; row < (weight.shape[0] as number); row++) {
        // Row i of a head of 16 is stored at 2i for i < 8, else at 2 (i - 8) + 1.
        const inHead = row % 16;
        const stored = weight.rowOrder === undefined ? row : row - inHead + (inHead < 8 ? 2 * inHead : 2 * inHead - 15);
        const wanted = [...expected.subarray(stored * columns, (stored + 1) * columns)];
        const offset = family === 'gemma3' && norms.has(index) ? 1 : 0;
        expect([...actual.subarray(row * columns, (row + 1) * columns)]).toEqual(
          wanted.map((value) => Math.fround(value - offset)),
        );
      }
    });
    expect(gguf.program.weights.some(({ rowOrder }) => rowOrder !== undefined)).toBe(family === 'llama');
  });
});
