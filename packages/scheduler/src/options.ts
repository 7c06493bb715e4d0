import { InvalidArgumentError, type KvCacheManager } from '@kvasir/interfaces';
import { POLICIES } from './policies/policies.js';
import type { PolicyName } from './policies/policy.js';

/** How a scheduler is made; fixed for its life. */
export interface SchedulerOptions {
  /** Where blocks come from. The scheduler opens and closes its sequences here. */
  readonly kvCache: KvCacheManager;
  /** Sequences that run at the same time; slots are `0 .. maxNumSeqs - 1`. */
  readonly maxNumSeqs: number;
  /** Tokens a step, at least `maxNumSeqs`. */
  readonly maxNumBatchedTokens: number;
  /** Output rows (logits) a step, at least `maxNumSeqs`. Default: `maxNumBatchedTokens`. */
  readonly maxNumOutputs?: number;
  /** Longest sequence, prompt and output. */
  readonly maxModelLen: number;
  /** Plans that may be uncommitted at the same time. Default 1. */
  readonly maxInFlight?: 1 | 2;
  /** Most prompt tokens of one sequence in one step; what is left of the budget goes to others. Default: no such limit. */
  readonly longPrefillTokenThreshold?: number;
  /** Who goes first. Default `'fcfs'`. */
  readonly policy?: PolicyName;
  /** Shares of tenants under `'fair'`, by name; 1 for the others. */
  readonly tenantWeights?: Readonly<Record<string, number>>;
  /** Times that a waiting sequence is passed by others because it does not fit, or is not the shortest. Default 16. */
  readonly maxBypass?: number;
  /**
   * Time between two tokens of a stream that prompts are to leave room for: while anyone decodes, a step takes as many prompt
   * tokens as keep it within, from the step times given to `commit`. Default: none, every step takes `maxNumBatchedTokens`.
   */
  readonly targetItlMs?: number;
}

/** {@link SchedulerOptions} with every default filled in. */
export type ResolvedOptions = Required<Omit<SchedulerOptions, 'targetItlMs'>> & Pick<SchedulerOptions, 'targetItlMs'>;

const DEFAULTS = {
  maxInFlight: 1,
  longPrefillTokenThreshold: Number.MAX_SAFE_INTEGER,
  policy: 'fcfs',
  tenantWeights: {},
  maxBypass: 16,
} as const;
const REQUIRED = ['kvCache', 'maxNumSeqs', 'maxNumBatchedTokens', 'maxModelLen'];
const KNOWN = [...REQUIRED, 'maxNumOutputs', 'targetItlMs', ...Object.keys(DEFAULTS)];

/** @throws `InvalidArgumentError` naming the first option that cannot be used. */
export function resolveOptions(options: SchedulerOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw new InvalidArgumentError(name, `unknown option ${name}: expected one of ${KNOWN.join(', ')}`);
    }
  }
  const resolved: ResolvedOptions = { ...DEFAULTS, maxNumOutputs: options.maxNumBatchedTokens, ...options };
  checkInteger('maxNumSeqs', resolved.maxNumSeqs, 1);
  checkInteger('maxNumBatchedTokens', resolved.maxNumBatchedTokens, resolved.maxNumSeqs);
  checkInteger('maxNumOutputs', resolved.maxNumOutputs, resolved.maxNumSeqs);
  checkInteger('maxModelLen', resolved.maxModelLen, 2);
  checkInteger('longPrefillTokenThreshold', resolved.longPrefillTokenThreshold, 1);
  if (resolved.maxInFlight !== 1 && resolved.maxInFlight !== 2) {
    throw new InvalidArgumentError('maxInFlight', `maxInFlight is ${resolved.maxInFlight}: expected 1 or 2`);
  }
  checkInteger('maxBypass', resolved.maxBypass, 0);
  if (!Object.hasOwn(POLICIES, resolved.policy)) {
    const names = Object.keys(POLICIES).join(', ');
    throw new InvalidArgumentError('policy', `policy is ${resolved.policy}: expected one of ${names}`);
  }
  checkPositive('targetItlMs', resolved.targetItlMs ?? 1);
  for (const [name, weight] of Object.entries(resolved.tenantWeights)) checkPositive(`tenantWeights.${name}`, weight);
  return resolved;
}

function checkInteger(parameter: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    const why = min > 2 ? ' (maxNumSeqs: every running sequence gets at least one token a step)' : '';
    throw new InvalidArgumentError(parameter, `${parameter} is ${value}: expected an integer of at least ${min}${why}`);
  }
}

function checkPositive(parameter: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  throw new InvalidArgumentError(parameter, `${parameter} is ${value}: expected a positive number`);
}
