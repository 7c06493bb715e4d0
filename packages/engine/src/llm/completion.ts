import type { FinishReason, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import type { OutputStream } from '../output-stream.js';

/** A finished generation. */
export interface Completion {
  readonly requestId: string;
  readonly promptTokenIds: Int32Array;
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly finishReason: FinishReason;
  readonly stopReason?: string | number;
  readonly usage: RequestUsage;
  /** The seed it was sampled with: the same one gives the same tokens. */
  readonly seed: bigint;
  readonly logprobs?: readonly PositionLogprobs[];
  readonly promptLogprobs?: readonly (PositionLogprobs | undefined)[];
}

/** Reads a stream to its end. */
export async function complete(stream: OutputStream): Promise<Completion> {
  const { requestId, promptTokenIds, seed } = stream;
  let text = '';
  const tokenIds: number[] = [];
  const logprobs: PositionLogprobs[] = [];
  let promptLogprobs: Completion['promptLogprobs'];
  for await (const delta of stream) {
    text += delta.text;
    tokenIds.push(...delta.tokenIds);
    logprobs.push(...(delta.logprobs ?? []));
    promptLogprobs ??= delta.promptLogprobs;
    if (delta.finishReason === undefined) continue;
    return {
      requestId,
      promptTokenIds,
      text,
      tokenIds,
      finishReason: delta.finishReason,
      ...(delta.stopReason === undefined ? {} : { stopReason: delta.stopReason }),
      usage: delta.usage,
      seed,
      ...(logprobs.length === 0 ? {} : { logprobs }),
      ...(promptLogprobs === undefined ? {} : { promptLogprobs }),
    };
  }
  throw new Error(`stream ${requestId} was left before its end: read it in one place only`);
}
