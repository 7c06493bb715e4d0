import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openModel, validateProgram, writeGguf } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { llamaMetadata, llamaShapes, tinyTensors } from '../support/tiny-models.js';

const folder = temporaryFolder();
const name = (number: number) => join(folder, `tiny-0000${number}-of-00003.gguf`);

async function writeSplit(numbers = [0, 1, 2], total = 20): Promise<void> {
  const tensors = tinyTensors(llamaShapes());
  for (const [index, number] of numbers.entries()) {
    const split = { 'split.no': number, 'split.count': 3, 'split.tensors.count': total };
    await writeGguf(name(index + 1), {
      metadata: { ...(index === 0 ? llamaMetadata() : {}), ...split },
      tensors: tensors.filter((_, at) => at % 3 === index),
    });
  }
}

it('opens all files of a split, whichever is named', async () => {
  await writeSplit();
  for (const number of [1, 3]) {
    const { program, files, name: model } = await openModel(name(number));
    validateProgram(program);
    expect([files.length, model]).toEqual([3, 'Tiny llama']);
    expect(new Set(program.weights.map(({ parts }) => parts[0]?.file))).toEqual(new Set([0, 1, 2]));
  }
});

it('refuses files that do not belong together', async () => {
  await writeSplit([0, 2, 1]);
  await expect(openModel(name(1))).rejects.toThrow('tiny-00002-of-00003.gguf: split.no: got 2, expected 1');
  await writeSplit([0, 1, 2], 21);
  await expect(openModel(name(1))).rejects.toThrow('split.tensors.count: got 21, but the files hold 20 tensors');
  rmSync(name(3));
  await expect(openModel(name(1))).rejects.toThrow('1 of 3 files are missing, first');
});

it('refuses one file of a split under another name', async () => {
  const path = join(folder, 'renamed.gguf');
  await writeGguf(path, { metadata: { ...llamaMetadata(), 'split.count': 3 }, tensors: tinyTensors(llamaShapes()) });
  await expect(openModel(path)).rejects.toThrow('split.count: got 3, but there is 1 file');
});
