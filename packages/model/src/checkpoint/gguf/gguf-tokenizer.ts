import { type TokenizerSource, UnsupportedError } from '@kvasir/interfaces';
import { defined } from '../../defined.js';
import { InvalidCheckpointError } from '../../errors.js';
import { FieldReader } from '../field-reader.js';
import type { GgufArray, GgufValue } from './gguf-types.js';

const TEMPLATE_KEY = 'tokenizer.chat_template';

/**
 * What a GGUF header says about its vocabulary.
 * @throws `UnsupportedError` For a vocabulary kind other than byte-level BPE (`gpt2`) and SentencePiece (`llama`).
 */
export function ggufTokenizerSource(file: string, metadata: ReadonlyMap<string, GgufValue>): TokenizerSource {
  const fields = FieldReader.ofMap(file, 'tokenizer.ggml.', metadata);
  const kind = fields.string('model');
  const tokens = array(fields, 'tokens', 'string') as readonly string[];
  const id = (key: string) => tokenId(fields, key, tokens.length);
  const common = {
    vocabSize: tokens.length,
    ...defined('bosTokenId', id('bos_token_id')),
    ...defined('eosTokenId', id('eos_token_id')),
    ...defined('unknownTokenId', id('unknown_token_id')),
    ...defined('paddingTokenId', id('padding_token_id')),
    addEos: fields.boolean('add_eos_token', false),
    ...chatTemplates(file, metadata),
    tokens,
    tokenTypes: tokenTypes(fields, tokens.length),
  };
  if (kind === 'gpt2') {
    return {
      ...common,
      kind: 'gguf-bpe',
      addBos: fields.boolean('add_bos_token', false),
      preTokenizer: fields.optionalString('pre') ?? 'default',
      merges: array(fields, 'merges', 'string') as readonly string[],
    };
  }
  if (kind === 'llama') {
    return {
      ...common,
      kind: 'gguf-spm',
      addBos: fields.boolean('add_bos_token', true),
      scores: sized(fields, 'scores', 'f32', tokens.length) as Float32Array,
      addSpacePrefix: fields.boolean('add_space_prefix', true),
    };
  }
  throw new UnsupportedError(
    `tokenizer ${kind}`,
    `${file}: tokenizer.ggml.model is '${kind}', expected 'gpt2' or 'llama'`,
  );
}

function chatTemplates(file: string, metadata: ReadonlyMap<string, GgufValue>) {
  const named: Record<string, string> = {};
  for (const [key, value] of metadata) {
    if (!key.startsWith(`${TEMPLATE_KEY}.`)) continue;
    if (typeof value !== 'string')
      throw new InvalidCheckpointError(file, key, 'is no string, expected a Jinja template');
    named[key.slice(TEMPLATE_KEY.length + 1)] = value;
  }
  return {
    ...defined('chatTemplate', FieldReader.ofMap(file, 'tokenizer.', metadata).optionalString('chat_template')),
    ...defined('namedChatTemplates', Object.keys(named).length === 0 ? undefined : named),
  };
}

function tokenTypes(fields: FieldReader, vocabSize: number): Int32Array {
  return fields.has('token_type')
    ? (sized(fields, 'token_type', 'i32', vocabSize) as Int32Array)
    : new Int32Array(vocabSize).fill(1);
}

function tokenId(fields: FieldReader, key: string, vocabSize: number): number | undefined {
  // Converters write 2^32 - 1 for "none".
  return fields.get(key) === 0xffffffff ? undefined : fields.optionalInteger(key, { max: vocabSize - 1 });
}

function array(fields: FieldReader, key: string, elementType: string): GgufArray['values'] {
  const value = fields.get(key) as GgufArray | undefined;
  if (value?.elementType !== elementType) return fields.fail(key, value, `an array of ${elementType}`);
  return value.values;
}

function sized(fields: FieldReader, key: string, elementType: string, length: number): GgufArray['values'] {
  const values = array(fields, key, elementType);
  if (values.length !== length) fields.fail(key, values.length, `${length} elements, one a token`);
  return values;
}
