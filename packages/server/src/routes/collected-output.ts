import type { FinishReason, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import type { Generation } from '../generation.js';
import type { AccessRecord } from '../http/access-log.js';

/** All that a prompt produced. */
export interface CollectedOutput {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly PositionLogprobs[];
  readonly promptLogprobs: readonly (PositionLogprobs | undefined)[] | undefined;
  readonly finishReason: FinishReason;
  readonly stopReason: string | number | undefined;
  readonly usage: RequestUsage;
}

/**
 * Reads a generation to its end.
 * @returns One output a prompt, in their order.
 * @throws `KvasirError` What ended the generation early.
 */
export async function collect(generation: Generation, numPrompts: number): Promise<readonly CollectedOutput[]> {
  const parts: OutputDelta[][] = Array.from({ length: numPrompts }, () => []);
  for await (const [prompt, delta] of generation.deltas()) parts[prompt]!.push(delta);
  return parts.map(joinDeltas);
}

/** Puts the numbers of a finished generation into the log record. */
export function recordOutputs(
  access: AccessRecord,
  outputs: readonly { readonly usage: RequestUsage; readonly finishReason: FinishReason }[],
): void {
  access.promptTokens = outputs.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
  access.completionTokens = outputs.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  access.cachedTokens = outputs.reduce((sum, { usage }) => sum + usage.cachedTokens, 0);
  access.finish = outputs.map(({ finishReason }) => finishReason).join(',');
}

function joinDeltas(deltas: readonly OutputDelta[]): CollectedOutput {
  const last = deltas.at(-1);
  if (last?.finishReason === undefined) {
    throw new RequestError('ERR_GENERATION_FAILED', 'generation ended without a reason; send the request again');
  }
  return {
    text: deltas.map((delta) => delta.text).join(''),
    tokenIds: deltas.flatMap((delta) => delta.tokenIds),
    logprobs: deltas.flatMap((delta) => delta.logprobs ?? []),
    promptLogprobs: deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs,
    finishReason: last.finishReason,
    stopReason: last.stopReason,
    usage: last.usage,
  };
}
