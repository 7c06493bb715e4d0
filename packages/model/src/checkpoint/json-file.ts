import { existsSync, readFileSync, statSync } from 'node:fs';
import { InvalidCheckpointError } from '../errors.js';
import { parseStrictJson, parseStrictJsonList } from './safetensors/strict-json.js';

const MAX_JSON_BYTES = 1 << 26;

/** Reads a JSON object beside a checkpoint, such as `config.json`. */
export function readJsonFile(path: string): Record<string, unknown> {
  return parseStrictJson(path, 'file', readText(path));
}

/** As {@link readJsonFile}; `undefined` when there is no such file. */
export function readOptionalJsonFile(path: string): Record<string, unknown> | undefined {
  return existsSync(path) ? readJsonFile(path) : undefined;
}

/** Reads a JSON list beside a checkpoint; `undefined` when there is no such file. */
export function readOptionalJsonList(path: string): readonly unknown[] | undefined {
  return existsSync(path) ? parseStrictJsonList(path, 'file', readText(path)) : undefined;
}

function readText(path: string): string {
  const { size } = statSync(path);
  if (size > MAX_JSON_BYTES)
    throw new InvalidCheckpointError(path, 'file', `has ${size} bytes, expected at most ${MAX_JSON_BYTES}`);
  return readFileSync(path, 'utf8');
}
