import {
  InvariantError,
  type KvCacheManager,
  type RowOutcome,
  type Scheduler,
  type SequenceId,
} from '@kvasir/interfaces';
import type { ServedRequest, Simulation, StepPoint } from './served-request.js';
import { type StepTime, shapeOfPlan } from './step-shape.js';
import type { Trace, TraceRequest } from './traces/trace.js';

/** What {@link simulate} runs. */
export interface SimulateOptions {
  readonly trace: Trace;
  /** A fresh scheduler over `kvCache`; one plan in flight. */
  readonly scheduler: Scheduler;
  readonly kvCache: KvCacheManager;
  readonly stepTime: StepTime;
  /** Keep a point of every so many steps. Default 1. */
  readonly sampleEvery?: number;
}

interface Sequence {
  readonly request: TraceRequest;
  readonly served: { cachedTokens: number; readonly tokenMs: number[] };
  /** Tokens in the cache. */
  stored: number;
}

/**
 * Runs a trace through the real scheduler and block manager on a virtual clock: only the time of a step is made up.
 * Requests arrive while a step runs and are seen by the next one. Nothing is random.
 */
export function simulate({ trace, scheduler, kvCache, stepTime, sampleEvery = 1 }: SimulateOptions): Simulation {
  const sequences = new Map<SequenceId, Sequence>();
  const all: Sequence[] = [];
  const steps: StepPoint[] = [];
  let nowMs = 0;
  let numArrived = 0;
  let numSteps = 0;
  let computedTokens = 0;
  let storedTokens = 0;
  while (numArrived < trace.length || scheduler.numUnfinished > 0) {
    for (; numArrived < trace.length && trace[numArrived]!.arrivalMs <= nowMs; numArrived++) {
      const sequence = { request: trace[numArrived]!, served: { cachedTokens: 0, tokenMs: [] }, stored: 0 };
      add(scheduler, (numArrived + 1) as SequenceId, sequence.request);
      sequences.set((numArrived + 1) as SequenceId, sequence);
      all.push(sequence);
    }
    const plan = scheduler.schedule();
    if (plan === null) {
      if (numArrived === trace.length) {
        const { numRunning, numWaiting } = scheduler.stats();
        throw new InvariantError('the scheduler stands still', { numRunning, numWaiting });
      }
      nowMs = trace[numArrived]!.arrivalMs;
      continue;
    }
    for (const id of plan.preempted) {
      const sequence = sequences.get(id)!;
      storedTokens -= sequence.stored;
      sequence.stored = 0;
    }
    const stepMs = stepTime(shapeOfPlan(plan));
    nowMs += stepMs;
    computedTokens += plan.numTokens;
    const outcomes = plan.rows.map((row): RowOutcome => {
      const { request, served } = sequences.get(row.sequence)!;
      if (row.starts && served.tokenMs.length === 0) served.cachedTokens = row.numCachedTokens;
      if (!row.samples) return NOTHING;
      const tokenId = request.outputTokenIds[served.tokenMs.length]!;
      served.tokenMs.push(nowMs);
      return { tokenIds: [tokenId], numAccepted: 0, ended: served.tokenMs.length === request.outputTokenIds.length };
    });
    plan.rows.forEach(({ sequence: id, start, numQuery }, index) => {
      const sequence = sequences.get(id)!;
      const stored = outcomes[index]!.ended ? 0 : start + numQuery;
      storedTokens += stored - sequence.stored;
      sequence.stored = stored;
    });
    scheduler.commit(plan, outcomes, stepMs);
    if (numSteps++ % sampleEvery === 0) {
      const { numRunning, numWaiting } = scheduler.stats();
      const heldTokens = (kvCache.numBlocks - kvCache.numFreeBlocks) * kvCache.blockSize;
      steps.push({ atMs: nowMs, numRunning, numWaiting, storedTokens, heldTokens });
    }
  }
  const { numPreemptions } = scheduler.stats();
  return { requests: all.map(toServed), steps, numPreemptions, computedTokens };
}

const NOTHING: RowOutcome = { tokenIds: [], numAccepted: 0, ended: false };

function add(scheduler: Scheduler, id: SequenceId, request: TraceRequest): void {
  const { promptTokenIds, outputTokenIds, tenant, priority } = request;
  scheduler.add({
    id,
    promptTokenIds,
    maxLength: promptTokenIds.length + outputTokenIds.length,
    promptLogprobs: false,
    needsSync: false,
    ...(tenant === undefined ? {} : { tenant }),
    ...(priority === undefined ? {} : { priority }),
  });
}

function toServed({ request, served }: Sequence): ServedRequest {
  const { arrivalMs, promptTokenIds, tenant } = request;
  return { arrivalMs, promptLength: promptTokenIds.length, tenant, ...served };
}
