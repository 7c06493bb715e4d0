import { join } from 'node:path';
import { type PoolOp, UnsupportedError } from '@kvasir/interfaces';
import { FieldReader } from './checkpoint/field-reader.js';
import { readOptionalJsonFile, readOptionalJsonList } from './checkpoint/json-file.js';

/** How the vectors of an encoder's tokens become one, and how much text it reads. */
export interface SentenceSettings {
  readonly pooling: PoolOp['kind'];
  readonly isNormalized: boolean;
  /** `max_seq_length`; absent when no file says it. */
  readonly maxSequenceLength?: number;
}

const POOLING_MODES: Readonly<Record<string, PoolOp['kind']>> = {
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_cls_token: 'cls',
  pooling_mode_lasttoken: 'last',
};

/**
 * Reads what sentence-transformers writes beside a model: `modules.json`, the pooling module's `config.json` and
 * `sentence_bert_config.json`. A folder without them is a mean over all tokens, not normalised, as that library takes it.
 * @throws `UnsupportedError` For a module or a way of pooling that is not built.
 */
export function readSentenceSettings(folder: string): SentenceSettings {
  const path = join(folder, 'modules.json');
  const modules = (readOptionalJsonList(path) ?? []).map((entry, index) => readModule(path, entry, index));
  const unknown = modules.find(({ kind }) => !['Transformer', 'Pooling', 'Normalize'].includes(kind));
  if (unknown !== undefined) {
    throw new UnsupportedError(
      `module ${unknown.kind}`,
      `${path}: the model has a module '${unknown.kind}', expected Transformer, Pooling and Normalize only`,
    );
  }
  const pooling = modules.find(({ kind }) => kind === 'Pooling');
  const configPath = join(folder, 'sentence_bert_config.json');
  const config = FieldReader.ofObject(configPath, '', readOptionalJsonFile(configPath) ?? {});
  if (config.boolean('do_lower_case', false)) {
    throw new UnsupportedError(
      'do_lower_case',
      `${configPath}: do_lower_case is true, expected false: let the normalizer of tokenizer.json lower the case`,
    );
  }
  const maxSequenceLength = config.optionalInteger('max_seq_length', { min: 1 });
  return {
    pooling: pooling === undefined ? 'mean' : readPooling(join(folder, pooling.path, 'config.json')),
    isNormalized: modules.some(({ kind }) => kind === 'Normalize'),
    ...(maxSequenceLength === undefined ? {} : { maxSequenceLength }),
  };
}

function readModule(file: string, entry: unknown, index: number): { readonly kind: string; readonly path: string } {
  const fields = FieldReader.ofObject(file, `[${index}].`, (entry ?? {}) as Record<string, unknown>);
  const kind = fields.string('type').split('.').at(-1) as string;
  const path = fields.optionalString('path') ?? '';
  if (!/^[\w-]*$/.test(path)) fields.fail('path', path, 'the name of a folder');
  return { kind, path };
}

function readPooling(path: string): PoolOp['kind'] {
  const config = readOptionalJsonFile(path) ?? {};
  const fields = FieldReader.ofObject(path, '', config);
  const asked = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && fields.boolean(key, false));
  const kind = POOLING_MODES[asked[0] ?? ''];
  if (asked.length === 1 && kind !== undefined) return kind;
  throw new UnsupportedError(
    `pooling ${asked.join(', ') || '(none)'}`,
    `${path}: the model pools by ${asked.join(' and ') || 'nothing'}, expected one of ${Object.keys(POOLING_MODES).join(', ')}`,
  );
}
