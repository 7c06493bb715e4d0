/** Names of the policies that are built in. */
export type PolicyName = 'fcfs';

/** What a policy may look at. */
export interface PolicyView {
  /** Counts up with every `add`; kept over preemptions. */
  readonly arrival: number;
}

/** Order in which sequences are served: negative when `a` goes before `b`. Total, and constant while both are here. */
export type SchedulingPolicy = (a: PolicyView, b: PolicyView) => number;
