// Writes a GGUF file of one tensor, lists it, and says where the default model would come from.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOGUE, DEFAULT_MODEL, inspectCheckpoint, writeGguf } from '@kvasir/model';
import { DENSE_ENCODINGS, encodeRow } from '@kvasir/quant';

const folder = await mkdtemp(join(tmpdir(), 'kvasir-example-'));
const path = join(folder, 'tiny.gguf');
const data = encodeRow(DENSE_ENCODINGS.bf16, Float32Array.of(1, 2, 3, 4));
const tensors = [{ name: 'weight', shape: [2, 2], encoding: DENSE_ENCODINGS.bf16, data }];
await writeGguf(path, { metadata: { 'general.architecture': 'example' }, tensors });

const { format, architecture, tensorTypes, problem } = await inspectCheckpoint(path);
console.log(format, architecture, tensorTypes, problem);
console.log(CATALOGUE.find((entry) => entry.name === DEFAULT_MODEL)?.mirrors.map((mirror) => mirror.kind));
await rm(folder, { recursive: true });
