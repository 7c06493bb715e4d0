import type { FinishReason, GenerateRequest, RequestUsage } from '@kvasir/interfaces';
import type { ChoiceMaker } from '../choices/choice-maker.js';
import type { OutputStream } from '../output-stream.js';
import type { Sequence } from '../sequence.js';
import type { TenantCounters } from '../tenant-meters.js';

/** When the stages of a request began, in milliseconds of the engine's clock; `undefined` until they do. */
export interface RequestTimes {
  readonly arrivalMs: number;
  scheduledMs: number | undefined;
  firstTokenMs: number | undefined;
  lastTokenMs: number | undefined;
}

/**
 * A request between submission and its one end: what was asked for, who listens, and what it has come to.
 * Its sequences are made by its {@link ChoiceMaker}; the runner alone changes this record.
 */
export class RunningRequest {
  readonly request: GenerateRequest;
  readonly stream: OutputStream;
  readonly times: RequestTimes;
  /** Sequences that have not ended. */
  readonly sequences = new Set<Sequence>();
  /** Ended sequences that keep their blocks for forks. */
  readonly parked = new Set<Sequence>();
  /** Set once, right after construction. */
  maker!: ChoiceMaker;
  readonly tenant: TenantCounters;
  completionTokens = 0;
  /** Output tokens of its longest sequence so far. */
  longestOutput = 0;
  /** Prompt tokens that the first sequence found in the prefix cache. */
  cachedTokens = 0;
  finishReason: FinishReason | undefined;
  readonly #detachments: (() => void)[] = [];

  constructor(request: GenerateRequest, stream: OutputStream, tenant: TenantCounters, arrivalMs: number) {
    this.request = request;
    this.stream = stream;
    this.tenant = tenant;
    this.times = { arrivalMs, scheduledMs: undefined, firstTokenMs: undefined, lastTokenMs: undefined };
  }

  get id(): string {
    return this.request.requestId;
  }

  get promptLength(): number {
    return this.request.promptTokenIds.length;
  }

  /** Places that it takes in the queue: as many as separate requests for its choices would. */
  get numPlaces(): number {
    return numPlacesOf(this.request);
  }

  /** Runs `detach` when the request ends. */
  onEnd(detach: () => void): void {
    this.#detachments.push(detach);
  }

  /** Takes the request off everything that could still end it. */
  detach(): void {
    for (const detach of this.#detachments.splice(0)) detach();
  }

  usage(): RequestUsage {
    return {
      promptTokens: this.promptLength,
      completionTokens: this.completionTokens,
      cachedTokens: this.cachedTokens,
    };
  }
}

/** Sequences that a request runs side by side. */
export function numPlacesOf({ n, bestOf, beam }: GenerateRequest): number {
  return beam?.width ?? bestOf ?? n ?? 1;
}
