import { Random } from '../random.js';
import type { Arrivals } from './arrivals.js';
import { createTrace, TRACE_VOCAB_SIZE, type Trace } from './trace.js';

/** Lengths of prompts and outputs: log-normal, cut to a range. */
export interface LengthMix {
  readonly meanPrompt: number;
  readonly sigmaPrompt: number;
  readonly meanOutput: number;
  readonly sigmaOutput: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Lengths like those of ShareGPT conversations: means 161 and 338 tokens (PagedAttention paper, figure 11), long tails.
 * A log-normal is our fit to the shape of the published histograms, not the data itself.
 */
export const SHAREGPT_LENGTHS: LengthMix = {
  meanPrompt: 161,
  sigmaPrompt: 1.1,
  meanOutput: 338,
  sigmaOutput: 0.8,
  least: 4,
  most: 1024,
};

/** What {@link chatTrace} draws. */
export interface ChatTraceOptions {
  readonly numRequests: number;
  readonly arrivals: Arrivals;
  readonly lengths?: LengthMix;
  readonly seed?: number;
  /** Names that requests are spread over evenly. Default: none. */
  readonly tenants?: readonly string[];
  readonly vocabSize?: number;
}

/** Independent requests with nothing in common. */
export function chatTrace(options: ChatTraceOptions): Trace {
  const { numRequests, arrivals, lengths = SHAREGPT_LENGTHS, tenants = [], vocabSize = TRACE_VOCAB_SIZE } = options;
  const random = new Random(options.seed ?? 0);
  const length = (mean: number, sigma: number) =>
    Math.min(lengths.most, Math.max(lengths.least, Math.round(random.logNormal(mean, sigma))));
  let arrivalMs = 0;
  return createTrace(
    Array.from({ length: numRequests }, (_, index) => {
      arrivalMs += arrivals(random);
      const tenant = tenants[index % tenants.length];
      return {
        arrivalMs,
        promptTokenIds: random.tokenIds(length(lengths.meanPrompt, lengths.sigmaPrompt), vocabSize),
        outputTokenIds: random.tokenIds(length(lengths.meanOutput, lengths.sigmaOutput), vocabSize),
        ...(tenant === undefined ? {} : { tenant }),
      };
    }),
  );
}
