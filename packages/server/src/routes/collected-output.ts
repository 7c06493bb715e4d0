import type { FinishReason, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import type { Generation } from '../generation.js';
import type { AccessRecord } from '../http/access-log.js';

/** All that one choice of a prompt produced. */
export interface CollectedChoice {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly PositionLogprobs[];
  readonly finishReason: FinishReason;
  readonly stopReason: string | number | undefined;
}

/** All that a prompt produced. */
export interface CollectedOutput {
  /** In their order, `n` of them. */
  readonly choices: readonly CollectedChoice[];
  readonly promptLogprobs: readonly (PositionLogprobs | undefined)[] | undefined;
  /** Of all choices together. */
  readonly usage: RequestUsage;
}

/**
 * Reads a generation to its end.
 * @returns One output a prompt, in their order.
 * @throws `KvasirError` What ended the generation early.
 */
export async function collect(
  generation: Generation,
  numPrompts: number,
  numChoices: number,
): Promise<readonly CollectedOutput[]> {
  const parts: OutputDelta[][] = Array.from({ length: numPrompts }, () => []);
  for await (const [prompt, delta] of generation.deltas()) parts[prompt]!.push(delta);
  return parts.map((deltas) => ({
    choices: Array.from({ length: numChoices }, (_, i) => joinDeltas(deltas.filter(({ index }) => index === i))),
    promptLogprobs: deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs,
    usage: deltas.at(-1)!.usage,
  }));
}

/** Puts the numbers of a finished generation into the log record. */
export function recordOutputs(
  access: AccessRecord,
  usages: readonly RequestUsage[],
  finishReasons: readonly FinishReason[],
): void {
  access.promptTokens = usages.reduce((sum, usage) => sum + usage.promptTokens, 0);
  access.completionTokens = usages.reduce((sum, usage) => sum + usage.completionTokens, 0);
  access.cachedTokens = usages.reduce((sum, usage) => sum + usage.cachedTokens, 0);
  access.finish = finishReasons.join(',');
}

function joinDeltas(deltas: readonly OutputDelta[]): CollectedChoice {
  const last = deltas.at(-1);
  if (last?.finishReason === undefined) {
    throw new RequestError('ERR_GENERATION_FAILED', 'generation ended without a reason; send the request again');
  }
  return {
    text: deltas.map((delta) => delta.text).join(''),
    tokenIds: deltas.flatMap((delta) => delta.tokenIds),
    logprobs: deltas.flatMap((delta) => delta.logprobs ?? []),
    finishReason: last.finishReason,
    stopReason: last.stopReason,
  };
}
