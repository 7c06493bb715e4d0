import type { GenerateRequest } from '@kvasir/interfaces';
import { settleMaxTokens } from '../requests/context-length.js';
import type { GenerationFields } from '../requests/generation-fields.js';
import { type SamplingFields, toSamplingParams } from '../requests/sampling-fields.js';
import { truncatePrompt } from '../requests/truncate-prompt.js';
import type { GenerationContext } from '../server-context.js';

/** One prompt of a body, tokenized. */
export interface PromptPlan {
  readonly requestId: string;
  /** Field to blame for its length, `prompt[1]` say. */
  readonly parameter: string;
  readonly tokenIds: Int32Array;
  readonly fields: GenerationFields & { readonly sampling: SamplingFields };
  /** Output tokens that the client asked for. */
  readonly maxTokens: number | undefined;
  /** What it gets when it asked for nothing, as far as there is room. */
  readonly fallbackTokens: number;
  readonly logprobs: number | undefined;
  readonly bestOf?: number | undefined;
}

/**
 * What the engine is asked for one prompt.
 * @throws `RequestError` When prompt and output do not fit into the context.
 */
export function planRequest({ model: { engine } }: GenerationContext, plan: PromptPlan): GenerateRequest {
  const { fields, bestOf } = plan;
  const { maxModelLen } = engine.limits;
  const promptTokenIds = truncatePrompt(plan.tokenIds, fields.truncation, maxModelLen - (plan.maxTokens ?? 1));
  const maxTokens = settleMaxTokens({
    parameter: plan.parameter,
    promptTokens: promptTokenIds.length,
    maxModelLen,
    asked: plan.maxTokens,
    fallback: plan.fallbackTokens,
  });
  const sampling = toSamplingParams(fields.sampling, {
    maxTokens,
    logprobs: plan.logprobs,
    drawSeed: () => engine.drawSeed(),
  });
  return {
    requestId: plan.requestId,
    promptTokenIds,
    sampling,
    ...(fields.n === 1 ? {} : { n: fields.n }),
    ...(bestOf === undefined || bestOf === fields.n ? {} : { bestOf }),
    ...(fields.beam === undefined ? {} : { beam: fields.beam }),
    ...fields.engine,
  };
}
