import { RequestError } from '../errors.js';
import { either, list, optionalAll, record } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import {
  type EmbeddingFields,
  type EmbeddingLimits,
  embeddingFields,
  inputText,
  narrower,
  readEmbeddingFields,
  scoringFields,
} from './embedding-fields.js';
import { type EmbeddingInput, namedInputs } from './embedding-input.js';
import { UNBUILT_SCORING } from './unbuilt-fields.js';

/** A checked body of `POST /v1/score`: pair `i` is `first[i]` (or its only one) and `second[i]`. */
export interface ScoreRequest extends EmbeddingFields {
  readonly first: readonly EmbeddingInput[];
  readonly second: readonly EmbeddingInput[];
}

/** What vLLM calls the two sides; exactly one of these pairs is there. */
const PAIRS = [
  ['text_1', 'text_2'],
  ['queries', 'documents'],
  ['queries', 'items'],
  ['data_1', 'data_2'],
] as const;
const SIDES = ['text_1', 'text_2', 'queries', 'documents', 'items', 'data_1', 'data_2'] as const;

/** Schema of the body of `POST /v1/score`. */
export function scoreSchema(limits: EmbeddingLimits) {
  const { maxEmbeddingInputs: maxItems } = limits;
  const side = (description: string) =>
    either([inputText(limits), list(inputText(limits), { minItems: 1, maxItems, 'x-entries': 'texts' })], {
      'x-expected': 'a string or a non-empty array of strings',
      description,
    });
  return record({
    ...optionalAll({
      text_1: side('One text, which is compared with each of the others, or as many as there are others.'),
      text_2: side('One text or several.'),
      queries: side('The same as text_1.'),
      documents: side('The same as text_2.'),
      items: side('The same as text_2.'),
      data_1: side('The same as text_1.'),
      data_2: side('The same as text_2.'),
    }),
    ...scoringFields(),
    ...embeddingFields(),
    ...optionalAll(UNBUILT_SCORING),
  });
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseScoreRequest(schema: ReturnType<typeof scoreSchema>, value: unknown): ScoreRequest {
  const body = checkBody(schema, value);
  const given = SIDES.filter((name) => body[name] != null);
  const pair = PAIRS.find(([one, other]) => given.length === 2 && given.includes(one) && given.includes(other));
  if (pair === undefined) {
    const got = given.length === 0 ? 'no texts' : given.join(', ');
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `got ${got}, expected 'text_1' and 'text_2' (or 'queries' and 'documents')`,
      'text_1',
    );
  }
  const fields = readEmbeddingFields(body);
  const [one, other] = pair;
  const first = namedInputs(
    one,
    body[one] as string | string[],
    narrower(fields.truncation, body.max_tokens_per_query),
  );
  const second = namedInputs(
    other,
    body[other] as string | string[],
    narrower(fields.truncation, body.max_tokens_per_doc),
  );
  if (first.length !== 1 && first.length !== second.length) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'${one}' has ${first.length} texts and '${other}' ${second.length}, expected one or as many; send one, or pairs`,
      one,
    );
  }
  return { ...fields, first, second };
}
