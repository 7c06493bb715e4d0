import type { GenerateRequest, OutputDelta } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { mergeStreams } from './merge-streams.js';
import type { ServedEngine } from './served-model.js';

/** A delta and the prompt that it belongs to. */
export type PromptDelta = readonly [prompt: number, delta: OutputDelta];

/** Times of a {@link Generation}. */
export interface GenerationOptions {
  /** When the HTTP request came. */
  readonly arrivalMs: number;
  /** Called once, with the first token of any prompt. */
  readonly onFirstToken: () => void;
}

/**
 * The engine requests of one HTTP request, one a prompt.
 *
 * Whatever happens, each request that was submitted is either read to its end or aborted, exactly once.
 */
export class Generation {
  readonly #engine: ServedEngine;
  /** Submitted and not ended. */
  readonly #open = new Set<string>();
  readonly #streams: AsyncIterable<OutputDelta>[] = [];

  #onFirstToken: (() => void) | undefined;

  /**
   * Submits every request, or none.
   * @throws `KvasirError` What `submit` threw; requests submitted before are aborted.
   */
  constructor(engine: ServedEngine, requests: readonly GenerateRequest[], options: GenerationOptions) {
    this.#engine = engine;
    this.#onFirstToken = options.onFirstToken;
    try {
      for (const request of requests) {
        this.#streams.push(engine.submit(request, { arrivalMs: options.arrivalMs }));
        this.#open.add(request.requestId);
      }
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /**
   * Deltas of all prompts, as they come. Read it once; leaving early aborts.
   * @throws {@link RequestError} `ERR_GENERATION_ABORTED`, `ERR_GENERATION_FAILED`, or what the engine threw.
   */
  async *deltas(): AsyncGenerator<PromptDelta, undefined> {
    try {
      for await (const entry of mergeStreams(this.#streams)) {
        this.#take(entry[1]);
        yield entry;
      }
    } finally {
      this.abort();
    }
    return undefined;
  }

  /** Ends what has not ended. Harmless when called again. */
  abort(): void {
    for (const id of this.#open) {
      this.#open.delete(id);
      this.#engine.abort(id);
    }
  }

  #take({ requestId, finishReason, tokenIds }: OutputDelta): void {
    if (tokenIds.length > 0) {
      this.#onFirstToken?.();
      this.#onFirstToken = undefined;
    }
    if (finishReason === undefined) return;
    this.#open.delete(requestId);
    if (finishReason === 'abort') {
      throw new RequestError('ERR_GENERATION_ABORTED', 'the request was aborted before it was done; send it again');
    }
    if (finishReason === 'error') {
      throw new RequestError('ERR_GENERATION_FAILED', 'generation failed; send the request again');
    }
  }
}
