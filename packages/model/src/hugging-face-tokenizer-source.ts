import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HuggingFaceTokenizerSource } from '@kvasir/interfaces';
import { FieldReader } from './checkpoint/field-reader.js';
import { readOptionalJsonFile } from './checkpoint/json-file.js';
import { defined } from './defined.js';
import { InvalidCheckpointError } from './errors.js';

/**
 * What the files of a Hugging Face folder say about its tokenizer; `tokenizer.json` itself is only named.
 * @param vocabSize - Rows of the embedding.
 */
export function huggingFaceTokenizerSource(folder: string, vocabSize: number): HuggingFaceTokenizerSource {
  const tokenizerJsonPath = join(folder, 'tokenizer.json');
  if (!existsSync(tokenizerJsonPath)) {
    throw new InvalidCheckpointError(
      folder,
      'tokenizer.json',
      'is missing; a folder needs config.json, tokenizer.json and *.safetensors',
    );
  }
  const configPath = join(folder, 'tokenizer_config.json');
  const config = FieldReader.ofObject(configPath, '', readOptionalJsonFile(configPath) ?? {});
  const ids = addedTokenIds(config);
  const id = (key: string) => ids.get(tokenContent(config, key) ?? '');
  return {
    kind: 'huggingface',
    tokenizerJsonPath,
    vocabSize,
    ...defined('bosTokenId', id('bos_token')),
    ...defined('eosTokenId', id('eos_token')),
    ...defined('unknownTokenId', id('unk_token')),
    ...defined('paddingTokenId', id('pad_token')),
    addBos: config.boolean('add_bos_token', false),
    addEos: config.boolean('add_eos_token', false),
    ...chatTemplates(folder, config),
  };
}

/** Ids by content, of `added_tokens_decoder`. */
function addedTokenIds(config: FieldReader): Map<string, number> {
  const added = (config.get('added_tokens_decoder') ?? {}) as Record<string, { content?: unknown } | null>;
  const ids = new Map<string, number>();
  for (const [id, token] of Object.entries(added)) {
    if (typeof token?.content === 'string') ids.set(token.content, Number(id));
  }
  return ids;
}

/** A special token is a string, or an object with `content`. */
function tokenContent(config: FieldReader, key: string): string | undefined {
  const token = config.get(key);
  return typeof token === 'string' ? token : config.object(key)?.string('content');
}

function chatTemplates(folder: string, config: FieldReader) {
  const file = join(folder, 'chat_template.jinja');
  if (existsSync(file)) return { chatTemplate: readFileSync(file, 'utf8') };
  const value = config.get('chat_template');
  if (!Array.isArray(value)) return defined('chatTemplate', config.optionalString('chat_template'));
  const named = Object.fromEntries(
    value.map((entry: unknown) => {
      const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown };
      if (typeof name === 'string' && typeof template === 'string') return [name, template] as const;
      return config.fail('chat_template', value, 'a template or a list of {name, template}');
    }),
  );
  const { default: chatTemplate, ...others } = named as Record<string, string>;
  return {
    ...defined('chatTemplate', chatTemplate),
    ...defined('namedChatTemplates', Object.keys(others).length === 0 ? undefined : others),
  };
}
