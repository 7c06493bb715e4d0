import { existsSync, readFileSync, statSync } from 'node:fs';
import { InvalidCheckpointError } from '../errors.js';
import { parseStrictJson } from './safetensors/strict-json.js';

const MAX_JSON_BYTES = 1 << 26;

/** Reads a JSON object beside a checkpoint, such as `config.json`. */
export function readJsonFile(path: string): Record<string, unknown> {
  const { size } = statSync(path);
  if (size > MAX_JSON_BYTES)
    throw new InvalidCheckpointError(path, 'file', `has ${size} bytes, expected at most ${MAX_JSON_BYTES}`);
  return parseStrictJson(path, 'file', readFileSync(path, 'utf8'));
}

/** As {@link readJsonFile}; `undefined` when there is no such file. */
export function readOptionalJsonFile(path: string): Record<string, unknown> | undefined {
  return existsSync(path) ? readJsonFile(path) : undefined;
}
