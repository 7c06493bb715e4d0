import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler, type SchedulerOptions } from '@kvasir/scheduler';
import { type Simulation, type StepTime, simulate, simulateStatic, type Trace } from '@kvasir/scheduler/simulate';
import { UsageError } from '../flags/usage-error.js';

/** The server that a trace is run through. */
export interface Scenario {
  readonly kvTokens: number;
  readonly blockSize: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly policy: NonNullable<SchedulerOptions['policy']>;
  readonly targetItlMs: number | undefined;
}

/** One way of serving the trace. */
export interface ScenarioResult {
  readonly name: string;
  readonly simulation: Simulation;
}

/**
 * Runs one trace four ways in the same memory: as Kvasir does, without its prefix cache, without paging (each sequence
 * gets memory for the longest one), and with static batching in that unpaged memory.
 * @throws {@link UsageError} When the memory holds no sequence of full length.
 */
export function runScenarios(trace: Trace, stepTime: StepTime, scenario: Scenario): ScenarioResult[] {
  const { kvTokens, maxModelLen, blockSize, maxNumSeqs } = scenario;
  const unpagedSlots = Math.min(maxNumSeqs, Math.floor(kvTokens / maxModelLen));
  if (unpagedSlots === 0) {
    throw new UsageError(
      `--kv-tokens: expected room for one sequence of --max-model-len ${maxModelLen}, got ${kvTokens}`,
    );
  }
  const run = (tokensPerBlock: number, enablePrefixCaching: boolean) => {
    const kvCache = createKvCacheManager({
      numBlocks: Math.floor(kvTokens / tokensPerBlock) + 1,
      blockSize: tokensPerBlock,
      groups: [{ kind: 'full', bytesPerBlock: tokensPerBlock }],
      enablePrefixCaching,
    });
    const { maxNumBatchedTokens, policy, targetItlMs } = scenario;
    const scheduler = createScheduler({
      kvCache,
      maxNumSeqs,
      maxNumBatchedTokens,
      maxModelLen,
      policy,
      ...(targetItlMs === undefined ? {} : { targetItlMs }),
    });
    return simulate({ trace, scheduler, kvCache, stepTime });
  };
  return [
    { name: 'Kvasir', simulation: run(blockSize, true) },
    { name: 'no prefix cache', simulation: run(blockSize, false) },
    // A block as long as the longest sequence is memory without paging.
    { name: 'no paging', simulation: run(maxModelLen, false) },
    {
      name: 'static batching',
      simulation: simulateStatic({ trace, stepTime, batchSize: unpagedSlots, reservedTokens: maxModelLen }),
    },
  ];
}
