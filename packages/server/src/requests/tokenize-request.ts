import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { flag, list, maybe, optionalAll, record, text } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import { messagesSchema, toChatMessages } from './messages.js';
import { tokenIdSchema } from './prompts.js';
import { readTemplate, type TemplateFields, templateFields } from './template-fields.js';
import { UNBUILT_TOKENIZE } from './unbuilt-fields.js';

/** A checked body of `POST /tokenize`: exactly one of `prompt` and `messages` is there. */
export interface TokenizeRequest {
  readonly model: string | undefined;
  readonly prompt: string | undefined;
  readonly messages: readonly ChatMessage[] | undefined;
  readonly template: TemplateFields;
  /** Default: true for a prompt, false for messages, whose template writes them itself. */
  readonly addSpecialTokens: boolean;
  readonly returnTokenStrs: boolean;
}

/** A checked body of `POST /detokenize`. */
export interface DetokenizeRequest {
  readonly model: string | undefined;
  readonly tokens: Int32Array;
}

/** Schema of the body of `POST /tokenize`. */
export function tokenizeSchema() {
  return record({
    ...optionalAll({
      model: text(),
      prompt: text({ description: 'Exactly one of prompt and messages.' }),
      messages: messagesSchema,
      add_special_tokens: flag({ description: 'Default: true for a prompt, false for messages.' }),
      return_token_strs: flag({ description: 'Report the text of each token. Default false.' }),
      ...UNBUILT_TOKENIZE,
    }),
    ...templateFields,
  });
}

/** Schema of the body of `POST /detokenize`. */
export function detokenizeSchema(vocabSize: number) {
  return record({
    model: maybe(text()),
    tokens: list(tokenIdSchema(vocabSize), { 'x-expected': 'an array of token ids' }),
  });
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseTokenizeRequest(schema: ReturnType<typeof tokenizeSchema>, value: unknown): TokenizeRequest {
  const body = checkBody(schema, value);
  const { prompt, messages } = body;
  if ((prompt == null) === (messages == null)) {
    const got = messages == null ? 'neither' : 'both';
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `got ${got} of 'prompt' and 'messages', expected one of them`,
      'prompt',
    );
  }
  if (prompt != null) {
    for (const name of Object.keys(templateFields) as (keyof typeof templateFields)[]) {
      if (body[name] == null) continue;
      throw new RequestError(
        'ERR_INVALID_FIELD',
        `'${name}' has no meaning for a 'prompt'; leave it out or send 'messages'`,
        name,
      );
    }
  }
  return {
    model: body.model ?? undefined,
    prompt: prompt ?? undefined,
    messages: messages == null ? undefined : toChatMessages(messages),
    template: readTemplate(body),
    addSpecialTokens: body.add_special_tokens ?? prompt != null,
    returnTokenStrs: body.return_token_strs ?? false,
  };
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseDetokenizeRequest(schema: ReturnType<typeof detokenizeSchema>, value: unknown): DetokenizeRequest {
  const { model, tokens } = checkBody(schema, value);
  return { model: model ?? undefined, tokens: Int32Array.from(tokens) };
}
