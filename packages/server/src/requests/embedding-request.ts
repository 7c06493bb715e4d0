import { either, integer, list, maybe, oneOf, optionalAll, record, type Static } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import {
  type EmbeddingFields,
  type EmbeddingLimits,
  embeddingFields,
  inputText,
  readEmbeddingFields,
} from './embedding-fields.js';
import { type EmbeddingInput, namedInputs } from './embedding-input.js';
import { tokenIdSchema } from './prompts.js';
import { UNBUILT_EMBEDDING } from './unbuilt-fields.js';

/** A checked body of `POST /v1/embeddings`. */
export interface EmbeddingRequest extends EmbeddingFields {
  readonly inputs: readonly EmbeddingInput[];
  readonly encoding: 'float' | 'base64';
  /** `undefined`: the model's width. */
  readonly dimensions: number | undefined;
}

/** Schema of the body of `POST /v1/embeddings`. */
export function embeddingSchema(limits: EmbeddingLimits) {
  const { maxEmbeddingInputs: maxItems, vocabSize, width } = limits;
  const tokenIds = list(tokenIdSchema(vocabSize), { minItems: 1 });
  const many = { minItems: 1, maxItems, 'x-entries': 'inputs' };
  return record({
    input: either([inputText(limits), tokenIds, list(inputText(limits), many), list(tokenIds, many)], {
      'x-expected': 'a string, token ids, or a non-empty array of either',
      description: 'One text or several, or token ids, to which no special tokens are added.',
    }),
    encoding_format: maybe(
      oneOf(['float', 'base64'], { description: 'base64: of little-endian float32. Default float.' }),
    ),
    dimensions: maybe(
      integer({
        minimum: 1,
        maximum: width,
        description: 'Numbers a vector: its first ones, with length 1 again. Default: all.',
      }),
    ),
    ...embeddingFields(),
    ...optionalAll(UNBUILT_EMBEDDING),
  });
}

/** @throws `RequestError` Naming the first field that cannot be used. */
export function parseEmbeddingRequest(schema: ReturnType<typeof embeddingSchema>, value: unknown): EmbeddingRequest {
  const body: Static<typeof schema> = checkBody(schema, value);
  const fields = readEmbeddingFields(body);
  return {
    ...fields,
    inputs: namedInputs('input', toInputs(body.input), fields.truncation),
    encoding: body.encoding_format ?? 'float',
    dimensions: body.dimensions ?? undefined,
  };
}

function toInputs(input: string | number[] | string[] | number[][]): string | Int32Array | (string | Int32Array)[] {
  if (typeof input === 'string') return input;
  if (typeof input[0] === 'number') return Int32Array.from(input as number[]);
  return (input as (string | number[])[]).map((each) => (typeof each === 'string' ? each : Int32Array.from(each)));
}
