import type { FinishReason, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import type { OutputStream } from '../output-stream.js';

/** One finished choice. */
export interface CompletionChoice {
  readonly index: number;
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly finishReason: FinishReason;
  readonly stopReason?: string | number;
  readonly logprobs?: readonly PositionLogprobs[];
  /** Of ranked choices (`bestOf`, `beam`). */
  readonly cumulativeLogprob?: number;
  readonly score?: number;
}

/** A finished generation. Text and tokens are those of its first choice. */
export interface Completion extends CompletionChoice {
  readonly requestId: string;
  readonly promptTokenIds: Int32Array;
  /** All choices by index. */
  readonly choices: readonly CompletionChoice[];
  /** Of all choices together. */
  readonly usage: RequestUsage;
  /** The seed it was sampled with: the same one gives the same tokens. */
  readonly seed: bigint;
  readonly promptLogprobs?: readonly (PositionLogprobs | undefined)[];
}

/** Reads a stream to its end. */
export async function complete(stream: OutputStream): Promise<Completion> {
  const { requestId, promptTokenIds, seed, numChoices } = stream;
  const parts = Array.from({ length: numChoices }, () => new ChoiceParts());
  const finished: CompletionChoice[] = [];
  let promptLogprobs: Completion['promptLogprobs'];
  for await (const delta of stream) {
    promptLogprobs ??= delta.promptLogprobs;
    const choice = parts[delta.index]!.take(delta);
    if (choice !== undefined) finished.push(choice);
    if (finished.length < numChoices) continue;
    const choices = finished.sort((a, b) => a.index - b.index);
    return {
      requestId,
      promptTokenIds,
      ...choices[0]!,
      choices,
      usage: delta.usage,
      seed,
      ...(promptLogprobs === undefined ? {} : { promptLogprobs }),
    };
  }
  throw new Error(`stream ${requestId} was left before its end: read it in one place only`);
}

class ChoiceParts {
  readonly #tokenIds: number[] = [];
  readonly #logprobs: PositionLogprobs[] = [];
  #text = '';

  /** @returns The choice, with its last delta. */
  take(delta: OutputDelta): CompletionChoice | undefined {
    const { index, finishReason, stopReason, cumulativeLogprob, score } = delta;
    this.#text += delta.text;
    for (const id of delta.tokenIds) this.#tokenIds.push(id);
    for (const each of delta.logprobs ?? []) this.#logprobs.push(each);
    if (finishReason === undefined) return undefined;
    return {
      index,
      text: this.#text,
      tokenIds: this.#tokenIds,
      finishReason,
      ...(stopReason === undefined ? {} : { stopReason }),
      ...(this.#logprobs.length === 0 ? {} : { logprobs: this.#logprobs }),
      ...(cumulativeLogprob === undefined ? {} : { cumulativeLogprob }),
      ...(score === undefined ? {} : { score }),
    };
  }
}
