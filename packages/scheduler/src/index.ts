export { DuplicateSequenceError, SequenceTooLongError } from './errors.js';
export type { SchedulerOptions } from './options.js';
export type { PolicyName } from './policies/policy.js';
export { createScheduler } from './scheduler.js';
