import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { readTokenIds } from './completion-request.js';
import { FieldReader } from './field-reader.js';
import { readMessages } from './messages.js';
import { refuseUnbuilt, UNBUILT_TOKENIZE_FIELDS } from './unbuilt-fields.js';

/** A checked body of `POST /tokenize`: exactly one of `prompt` and `messages` is there. */
export interface TokenizeRequest {
  readonly model: string | undefined;
  readonly prompt: string | undefined;
  readonly messages: readonly ChatMessage[] | undefined;
  /** Default: true for a prompt, false for messages, whose template writes them itself. */
  readonly addSpecialTokens: boolean;
  readonly addGenerationPrompt: boolean;
  readonly returnTokenStrs: boolean;
}

/** A checked body of `POST /detokenize`. */
export interface DetokenizeRequest {
  readonly model: string | undefined;
  readonly tokens: Int32Array;
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseTokenizeRequest(body: unknown): TokenizeRequest {
  const fields = new FieldReader(body);
  const model = fields.string('model');
  const prompt = fields.string('prompt');
  const hasMessages = fields.raw('messages') !== undefined;
  if ((prompt !== undefined) === hasMessages) {
    const got = hasMessages ? 'both' : 'neither';
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `got ${got} of 'prompt' and 'messages', expected one of them`,
      'prompt',
    );
  }
  const addGenerationPrompt = fields.boolean('add_generation_prompt');
  if (prompt !== undefined && addGenerationPrompt !== undefined) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'add_generation_prompt' has no meaning for a 'prompt'; leave it out or send 'messages'`,
      'add_generation_prompt',
    );
  }
  const request: TokenizeRequest = {
    model,
    prompt,
    messages: hasMessages ? readMessages(fields) : undefined,
    addSpecialTokens: fields.boolean('add_special_tokens') ?? prompt !== undefined,
    addGenerationPrompt: addGenerationPrompt ?? true,
    returnTokenStrs: fields.boolean('return_token_strs') ?? false,
  };
  refuseUnbuilt(fields, UNBUILT_TOKENIZE_FIELDS);
  fields.finish();
  return request;
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseDetokenizeRequest(body: unknown, vocabSize: number): DetokenizeRequest {
  const fields = new FieldReader(body);
  const model = fields.string('model');
  const value = fields.raw('tokens');
  if (value === undefined) throw fields.missing('tokens', 'an array of token ids');
  if (!Array.isArray(value)) throw fields.invalid('tokens', value, 'an array of token ids');
  fields.finish();
  return { model, tokens: readTokenIds(value, 'tokens', vocabSize) };
}
