import { byArrival, type CandidateView, never, type SchedulingPolicy } from './policy.js';

/**
 * Weighted shares of tokens: the tenant that was served least for its weight is next; within a tenant first come, first
 * served. After the virtual token counter of Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024.
 */
export const fair: SchedulingPolicy = {
  compare: byArrival,
  compareService: byService,
  outranks: never,
  queues: 'by-tenant',
  letsShorterPass: false,
  window: 1,
  needsUncached: false,
  choose(candidates) {
    let best = 0;
    for (let i = 1; i < candidates.length; i++) if (byService(candidates[i]!, candidates[best]!) < 0) best = i;
    return best;
  },
};

function byService(a: CandidateView, b: CandidateView): number {
  return a.tenantService - b.tenantService || byArrival(a, b);
}
