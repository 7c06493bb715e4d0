import { dirname, join } from 'node:path';
import { KvasirError } from '@kvasir/interfaces';
import { type Checkpoint, numElements, type TensorInfo } from './checkpoint/checkpoint.js';
import type { GgufValue } from './checkpoint/gguf/gguf-types.js';
import { readGgufCheckpoint } from './checkpoint/gguf/read-gguf-checkpoint.js';
import { readOptionalJsonFile } from './checkpoint/json-file.js';
import { readSafetensorsCheckpoint } from './checkpoint/safetensors/read-safetensors-checkpoint.js';
import { defined } from './defined.js';
import { locateCheckpoint } from './locate-checkpoint.js';
import type { ModelDescription } from './model-description.js';
import { openModel } from './open-model.js';

/** Tensors of one type. */
export interface TensorTypeSummary {
  readonly dtype: string;
  readonly count: number;
  readonly elements: number;
  readonly bytes: number;
}

/** What is in a checkpoint, also in one that cannot be run. */
export interface CheckpointSummary {
  readonly path: string;
  readonly format: 'gguf' | 'safetensors';
  readonly architecture: string;
  readonly files: Checkpoint['files'];
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly tensors: readonly TensorInfo[];
  /** Largest share of bytes first. */
  readonly tensorTypes: readonly TensorTypeSummary[];
  /** Settings as text; long values and arrays are cut. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The opened model, when it can be run. */
  readonly model?: ModelDescription;
  /** Why it cannot be run, when it cannot. */
  readonly problem?: string;
}

const MAX_VALUE_LENGTH = 200;

/**
 * Lists what a checkpoint holds by its headers.
 * @throws {@link InvalidCheckpointError} If the headers themselves cannot be read; a model of an unknown kind is listed with its `problem`.
 */
export async function inspectCheckpoint(path: string): Promise<CheckpointSummary> {
  const location = await locateCheckpoint(path);
  const { checkpoint, settings } =
    location.format === 'gguf' ? readGguf(location.path) : readSafetensors(location.path);
  const tensors = [...checkpoint.tensors.values()];
  return {
    path: location.path,
    format: checkpoint.format,
    architecture: settings.architecture,
    files: checkpoint.files,
    sizeBytes: checkpoint.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    parameterCount: tensors.reduce((sum, tensor) => sum + numElements(tensor.shape), 0),
    tensors,
    tensorTypes: summarizeTypes(tensors),
    metadata: settings.metadata,
    ...(await tryOpen(path)),
  };
}

async function tryOpen(path: string): Promise<Pick<CheckpointSummary, 'model' | 'problem'>> {
  try {
    return defined('model', await openModel(path));
  } catch (error) {
    if (!KvasirError.isInstance(error)) throw error;
    return { problem: error.message };
  }
}

interface Settings {
  readonly architecture: string;
  readonly metadata: Readonly<Record<string, string>>;
}

function readGguf(path: string): { checkpoint: Checkpoint; settings: Settings } {
  const checkpoint = readGgufCheckpoint(path);
  const metadata = Object.fromEntries([...checkpoint.metadata].map(([key, value]) => [key, ggufText(value)]));
  return { checkpoint, settings: { architecture: metadata['general.architecture'] ?? 'unknown', metadata } };
}

function readSafetensors(path: string): { checkpoint: Checkpoint; settings: Settings } {
  const checkpoint = readSafetensorsCheckpoint(path);
  const config = readOptionalJsonFile(join(dirname(path), 'config.json')) ?? {};
  const names = config['architectures'];
  const metadata = Object.fromEntries(
    Object.entries({ ...checkpoint.metadata, ...config }).map(([key, value]) => [
      key,
      cut(typeof value === 'string' ? value : JSON.stringify(value)),
    ]),
  );
  return { checkpoint, settings: { architecture: Array.isArray(names) ? String(names[0]) : 'unknown', metadata } };
}

function ggufText(value: GgufValue): string {
  if (typeof value !== 'object') return cut(String(value));
  const elements: ArrayLike<string | number | boolean | bigint> = value.values;
  const shown = Array.from({ length: Math.min(6, elements.length) }, (_, index) => {
    const element = elements[index];
    return typeof element === 'string' ? JSON.stringify(element) : String(element);
  });
  return cut(`${value.elementType}[${value.values.length}] ${shown.join(' ')}`);
}

function cut(text: string): string {
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}... (${text.length} characters)`;
}

function summarizeTypes(tensors: readonly TensorInfo[]): TensorTypeSummary[] {
  const types = new Map<string, TensorTypeSummary>();
  for (const { dtype, shape, bytes } of tensors) {
    const { count, elements, bytes: sum } = types.get(dtype) ?? { count: 0, elements: 0, bytes: 0 };
    types.set(dtype, { dtype, count: count + 1, elements: elements + numElements(shape), bytes: sum + bytes.length });
  }
  return [...types.values()].sort((a, b) => b.bytes - a.bytes);
}
