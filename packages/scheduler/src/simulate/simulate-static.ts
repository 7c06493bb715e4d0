import { InvalidArgumentError } from '@kvasir/interfaces';
import type { ServedRequest, Simulation, StepPoint } from './served-request.js';
import type { StepShape, StepTime } from './step-shape.js';
import type { Trace } from './traces/trace.js';

/** What {@link simulateStatic} runs. */
export interface SimulateStaticOptions {
  readonly trace: Trace;
  readonly stepTime: StepTime;
  /** Requests a batch. */
  readonly batchSize: number;
  /** Tokens that each sequence's memory is set aside for. */
  readonly reservedTokens: number;
}

/**
 * Static batching, as serving worked before continuous batching: whoever waits forms a batch, prompts are padded to the
 * longest, every row computes until the longest output is done, and nobody joins or leaves before. It is generous to the
 * baseline: tokens are streamed and count when they are made, not when the batch ends.
 */
export function simulateStatic({ trace, stepTime, batchSize, reservedTokens }: SimulateStaticOptions): Simulation {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new InvalidArgumentError('batchSize', `batchSize is ${batchSize}: expected an integer from 1`);
  }
  const requests: ServedRequest[] = [];
  const steps: StepPoint[] = [];
  let nowMs = 0;
  let computedTokens = 0;
  for (let first = 0; first < trace.length; ) {
    nowMs = Math.max(nowMs, trace[first]!.arrivalMs);
    let end = first;
    while (end < trace.length && end - first < batchSize && trace[end]!.arrivalMs <= nowMs) end++;
    const batch = trace.slice(first, end);
    const numRows = batch.length;
    const longestPrompt = Math.max(...batch.map(({ promptTokenIds }) => promptTokenIds.length));
    const longestOutput = Math.max(...batch.map(({ outputTokenIds }) => outputTokenIds.length));
    const tokenMs: number[] = [];
    for (let output = 0; output < longestOutput; output++) {
      const shape = output === 0 ? prefillShape(numRows, longestPrompt) : decodeShape(numRows, longestPrompt + output);
      nowMs += stepTime(shape);
      computedTokens += shape.numTokens;
      tokenMs.push(nowMs);
      let arrived = end;
      while (arrived < trace.length && trace[arrived]!.arrivalMs <= nowMs) arrived++;
      const storedTokens = batch.reduce(
        (sum, each) => sum + (output < each.outputTokenIds.length ? each.promptTokenIds.length + output : 0),
        0,
      );
      const heldTokens = numRows * reservedTokens;
      steps.push({ atMs: nowMs, numRunning: numRows, numWaiting: arrived - end, storedTokens, heldTokens });
    }
    for (const { arrivalMs, promptTokenIds, outputTokenIds, tenant } of batch) {
      const own = tokenMs.slice(0, outputTokenIds.length);
      requests.push({ arrivalMs, promptLength: promptTokenIds.length, cachedTokens: 0, tokenMs: own, tenant });
    }
    first = end;
  }
  return { requests, steps, numPreemptions: 0, computedTokens };
}

function prefillShape(numRows: number, length: number): StepShape {
  const prefillPairs = (numRows * length * (length + 1)) / 2;
  return { numTokens: numRows * length, numRows, numOutputs: numRows, decodeContext: 0, prefillPairs };
}

function decodeShape(numRows: number, context: number): StepShape {
  return { numTokens: numRows, numRows, numOutputs: numRows, decodeContext: numRows * context, prefillPairs: 0 };
}
