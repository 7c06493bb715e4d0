/** Names of the policies that are built in. */
export type PolicyName = 'fcfs' | 'priority' | 'fair' | 'shortest-prefix-first';

/** What an order that never changes may look at. */
export interface PolicyView {
  /** Counts up with every `add`; kept over preemptions. */
  readonly arrival: number;
  /** Smaller first. */
  readonly priority: number;
}

/** What the choice of who is served next may look at. */
export interface CandidateView extends PolicyView {
  /** Tokens that its tenant was served so far, over the weight of the tenant. */
  readonly tenantService: number;
  /** Tokens to compute until the first is sampled; known where the policy asks for it. */
  readonly numUncached: number;
  /** Times that others were admitted before it although it was ahead of them. */
  readonly numBypassed: number;
}

/** Who is served when. All of it pure functions over snapshots. */
export interface SchedulingPolicy {
  /** Order of those who run, and of each queue: negative when `a` goes before `b`. Total, and constant while both are here. */
  compare(a: PolicyView, b: PolicyView): number;
  /** Order in which prompts get their shares of a step. */
  compareService(a: CandidateView, b: CandidateView): number;
  /** Whether `a` may take the place of a running `b`. */
  outranks(a: PolicyView, b: PolicyView): boolean;
  /** A queue for all, or one a tenant. */
  readonly queues: 'one' | 'by-tenant';
  /** Whether a shorter prompt may go before one that gets no share of the step: it takes nothing from that one, but counts as service. */
  readonly letsShorterPass: boolean;
  /** Sequences at the head of each queue that {@link SchedulingPolicy.choose} sees. */
  readonly window: number;
  /** Whether {@link CandidateView.numUncached} is looked up. */
  readonly needsUncached: boolean;
  /**
   * Chooses who is tried next.
   * @param candidates - The heads, queue by queue, in order; not empty.
   * @returns Index into `candidates`.
   */
  choose(candidates: readonly CandidateView[], maxBypass: number): number;
}

/** Order of arrival. */
export function byArrival(a: PolicyView, b: PolicyView): number {
  return a.arrival - b.arrival;
}

/** Nobody takes the place of another. */
export function never(): boolean {
  return false;
}
