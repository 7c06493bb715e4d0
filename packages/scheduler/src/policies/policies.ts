import { fair } from './fair.js';
import { fcfs } from './fcfs.js';
import type { PolicyName, SchedulingPolicy } from './policy.js';
import { priority } from './priority.js';
import { shortestPrefixFirst } from './shortest-prefix-first.js';

/** Every policy by its name. */
export const POLICIES: Readonly<Record<PolicyName, SchedulingPolicy>> = {
  fcfs,
  priority,
  fair,
  'shortest-prefix-first': shortestPrefixFirst,
};
