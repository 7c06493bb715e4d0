import { InvalidArgumentError } from '@kvasir/interfaces';

/** One request of a trace. Prompts that begin alike share their first token ids. */
export interface TraceRequest {
  /** Since the trace began. */
  readonly arrivalMs: number;
  readonly promptTokenIds: Int32Array;
  /** What the model will say: it ends right after. At least one token. */
  readonly outputTokenIds: Int32Array;
  readonly tenant?: string;
  readonly priority?: number;
}

/** Requests in the order of their arrival. */
export type Trace = readonly TraceRequest[];

/** Size of the vocabulary that generated traces draw from. */
export const TRACE_VOCAB_SIZE = 32_000;

/**
 * Sorts requests by arrival and checks them.
 * @throws `InvalidArgumentError` For an empty trace, a time that is not finite and positive, an empty prompt or output.
 */
export function createTrace(requests: Iterable<TraceRequest>): Trace {
  const trace = [...requests].sort((a, b) => a.arrivalMs - b.arrivalMs);
  if (trace.length === 0) throw new InvalidArgumentError('trace', 'the trace has no requests: expected at least one');
  trace.forEach(({ arrivalMs, promptTokenIds, outputTokenIds }, index) => {
    if (Number.isFinite(arrivalMs) && arrivalMs >= 0 && promptTokenIds.length > 0 && outputTokenIds.length > 0) return;
    throw new InvalidArgumentError(
      'trace',
      `request ${index} of the trace arrives at ${arrivalMs} ms with ${promptTokenIds.length} prompt and ${outputTokenIds.length} output tokens: expected a time from 0 and at least one token each`,
    );
  });
  return trace;
}

/** Tokens of the longest request, prompt and output. */
export function longestRequest(trace: Trace): number {
  return trace.reduce((most, each) => Math.max(most, each.promptTokenIds.length + each.outputTokenIds.length), 0);
}

/** The part of a trace that fits a model: longer requests are left out, as a server would refuse them. */
export function withinLength(
  trace: Trace,
  maxModelLen: number,
): { readonly trace: Trace; readonly numRefused: number } {
  const kept = trace.filter((each) => each.promptTokenIds.length + each.outputTokenIds.length <= maxModelLen);
  return { trace: kept, numRefused: trace.length - kept.length };
}
