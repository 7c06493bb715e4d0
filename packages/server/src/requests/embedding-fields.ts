import { integer, optionalAll, text } from '../schema/builders.js';
import { invalidField } from '../schema/field-errors.js';
import { countCodePoints } from '../wire/logprobs.js';
import { UNBUILT_POOLING } from './unbuilt-fields.js';

/** What bounds the embedding requests of one server. */
export interface EmbeddingLimits {
  /** Most inputs (texts, documents) of one request. */
  readonly maxEmbeddingInputs: number;
  /** Most characters of one text. */
  readonly maxInputCharacters: number;
  /** Token ids lie in [0, vocabSize) of the largest vocabulary. */
  readonly vocabSize: number;
  /** Numbers of the widest vector. */
  readonly width: number;
}

/** Most tokens that anybody may ask for: what a signed 32-bit integer holds. */
const MAX_INT32 = 0x7fffffff;

/** A text that is to be embedded. */
export function inputText({ maxInputCharacters }: EmbeddingLimits) {
  return text({ maxLength: maxInputCharacters });
}

/** @throws `RequestError` When a text has more characters than may be tokenized for an embedder. */
export function checkInputLength(text: string, maxInputCharacters: number, path: string): void {
  const numCharacters = text.length > maxInputCharacters ? countCodePoints(text) : 0;
  if (numCharacters <= maxInputCharacters) return;
  throw invalidField(path, text, `at most ${maxInputCharacters} characters, got ${numCharacters}; shorten it`);
}

/** Fields of every route that embeds. */
export function embeddingFields() {
  return optionalAll({
    model: text({ description: 'An embedding model of `/v1/models`. Default: the first of them.' }),
    truncate_prompt_tokens: integer({
      minimum: -1,
      maximum: MAX_INT32,
      description: 'Keep this many tokens of a longer input, special tokens included; -1 keeps what fits.',
    }),
    request_id: text({
      minLength: 1,
      maxLength: 128,
      pattern: '^[\\x21-\\x7e]+$',
      'x-expected': '1 to 128 visible ASCII characters',
      description: 'Part of the id of the answer, by which the request can be aborted.',
    }),
    user: text({ maxLength: 512, description: 'Logged.' }),
    ...UNBUILT_POOLING,
  });
}

/** Fields of the routes that compare texts. */
export function scoringFields() {
  const bound = (what: string) =>
    integer({
      minimum: 0,
      maximum: MAX_INT32,
      description: `Keep this many tokens of a longer ${what}, special tokens included. Default 0: no bound of its own.`,
    });
  return optionalAll({ max_tokens_per_query: bound('query'), max_tokens_per_doc: bound('document') });
}

/** {@link embeddingFields}, read. */
export interface EmbeddingFields {
  readonly model: string | undefined;
  readonly requestId: string | undefined;
  readonly user: string | undefined;
  /** Tokens that longer inputs are cut to, -1 for the model's own length; `undefined`: they are refused. */
  readonly truncation: number | undefined;
}

/** What bodies with {@link embeddingFields} have. */
interface EmbeddingBody {
  readonly model?: string | null;
  readonly request_id?: string | null;
  readonly user?: string | null;
  readonly truncate_prompt_tokens?: number | null;
}

/** Reads {@link embeddingFields}. */
export function readEmbeddingFields(body: EmbeddingBody): EmbeddingFields {
  const truncation = body.truncate_prompt_tokens ?? undefined;
  return {
    model: body.model ?? undefined,
    requestId: body.request_id ?? undefined,
    user: body.user ?? undefined,
    truncation: truncation === 0 ? 1 : truncation,
  };
}

/** The truncation of a text that has a bound of its own too, 0 or absent for none. */
export function narrower(truncation: number | undefined, bound: number | null | undefined): number | undefined {
  if (bound == null || bound === 0) return truncation;
  return truncation === undefined || truncation === -1 ? bound : Math.min(truncation, bound);
}
