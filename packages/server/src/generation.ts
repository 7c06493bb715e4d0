import type { GenerateRequest, OutputDelta } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { mergeStreams } from './merge-streams.js';
import type { ServedEngine } from './served-model.js';

/** A delta and the prompt that it belongs to. */
export type PromptDelta = readonly [prompt: number, delta: OutputDelta];

/** What a {@link Generation} needs besides its requests. */
export interface GenerationOptions {
  /** Ids under which clients may ask for its end; the first is the answer's own. */
  readonly names: readonly string[];
  /** When the HTTP request came. */
  readonly arrivalMs: number;
  /** Called once, with the first token of any prompt. */
  readonly onFirstToken: () => void;
}

/**
 * The engine requests of one HTTP request, one a prompt, each with one or more choices.
 *
 * Whatever happens, each request that was submitted is either read to its end or aborted, exactly once.
 */
export class Generation {
  readonly names: readonly string[];
  readonly #engine: ServedEngine;
  /** Submitted and not ended, and how many of their choices have not. */
  readonly #open = new Map<string, number>();
  readonly #streams: AsyncIterable<OutputDelta>[] = [];

  #onFirstToken: (() => void) | undefined;
  #abortReason = 'the request was aborted before it was done; send it again';

  /**
   * Submits every request, or none.
   * @throws `KvasirError` What `submit` threw; requests submitted before are aborted.
   */
  constructor(engine: ServedEngine, requests: readonly GenerateRequest[], options: GenerationOptions) {
    this.#engine = engine;
    this.names = options.names;
    this.#onFirstToken = options.onFirstToken;
    try {
      for (const request of requests) {
        this.#streams.push(engine.submit(request, { arrivalMs: options.arrivalMs }));
        this.#open.set(request.requestId, request.n ?? 1);
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

  /**
   * Ends what has not ended. Harmless when called again.
   * @param reason - What its client is told.
   */
  abort(reason?: string): void {
    if (reason !== undefined) this.#abortReason = reason;
    for (const id of this.#open.keys()) {
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
    const numOpen = (this.#open.get(requestId) ?? 1) - 1;
    if (numOpen > 0) this.#open.set(requestId, numOpen);
    else this.#open.delete(requestId);
    if (finishReason === 'abort') {
      throw new RequestError('ERR_GENERATION_ABORTED', this.#abortReason);
    }
    if (finishReason === 'error') {
      throw new RequestError('ERR_GENERATION_FAILED', 'generation failed; send the request again');
    }
  }
}
