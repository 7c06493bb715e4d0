import { RequestError } from '../errors.js';
import { integer, maybe, optionalAll, record, type Static } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import { invalidField } from '../schema/field-errors.js';
import {
  type GenerationFields,
  generationFields,
  readGeneration,
  refusePromptLogprobsInStream,
} from './generation-fields.js';
import { type Prompt, promptSchema, toPrompts } from './prompts.js';
import type { RequestLimits } from './request-limits.js';
import { readSampling, type SamplingContext, type SamplingFields, samplingFields } from './sampling-fields.js';
import { UNBUILT_COMPLETION } from './unbuilt-fields.js';

/** A checked body of `POST /v1/completions`. */
export interface CompletionRequest extends GenerationFields {
  readonly prompts: readonly Prompt[];
  readonly sampling: SamplingFields;
  /** Choices generated for each prompt, at least `n`. */
  readonly bestOf: number | undefined;
  readonly addSpecialTokens: boolean;
  /** 0 only with `echo`: the prompt alone is answered. `undefined`: 16. */
  readonly maxTokens: number | undefined;
  readonly logprobs: number | undefined;
}

/** Schema of the body of `POST /v1/completions`. */
export function completionSchema(limits: RequestLimits) {
  return record({
    prompt: promptSchema(limits),
    ...generationFields(limits),
    max_tokens: maybe(integer({ minimum: 0, description: 'Default 16. 0 with echo: the prompt alone.' })),
    logprobs: maybe(integer({ minimum: 0, maximum: limits.maxLogprobs, description: 'Alternatives a token.' })),
    best_of: maybe(
      integer({
        minimum: 1,
        maximum: limits.maxChoices,
        description: 'Choices that are generated, of which the n most likely are answered. Default n.',
      }),
    ),
    ...samplingFields(limits),
    ...optionalAll(UNBUILT_COMPLETION),
  });
}

type CompletionSchema = ReturnType<typeof completionSchema>;

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseCompletionRequest(
  schema: CompletionSchema,
  value: unknown,
  context: SamplingContext,
): CompletionRequest {
  const body = checkBody(schema, value);
  refusePromptLogprobsInStream(body);
  return {
    ...readGeneration(body),
    prompts: toPrompts(body.prompt),
    sampling: readSampling(body, context),
    bestOf: readBestOf(body),
    addSpecialTokens: body.add_special_tokens ?? true,
    maxTokens: readMaxTokens(body),
    logprobs: body.logprobs ?? undefined,
  };
}

function readMaxTokens({ max_tokens: maxTokens, echo }: Static<CompletionSchema>): number | undefined {
  if (maxTokens !== 0 || echo === true) return maxTokens ?? undefined;
  throw invalidField('max_tokens', 0, 'at least 1; 0 is for echo only, which returns the prompt alone');
}

function readBestOf({ best_of: bestOf, n, use_beam_search }: Static<CompletionSchema>): number | undefined {
  if (bestOf == null) return undefined;
  if (bestOf < (n ?? 1)) throw invalidField('best_of', bestOf, `at least 'n', which is ${n}; raise it or lower n`);
  if (use_beam_search === true && bestOf !== (n ?? 1)) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'best_of' is ${bestOf} with 'use_beam_search', which keeps 'n' beams; leave best_of out and raise n`,
      'best_of',
    );
  }
  return bestOf;
}
