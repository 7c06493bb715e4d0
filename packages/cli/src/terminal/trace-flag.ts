import type { Flag } from '../flags/flag.js';

/** `--trace-steps` of every command that runs an engine. */
export const traceStepsFlag: Flag = {
  kind: 'boolean',
  name: 'trace-steps',
  default: false,
  description: 'Write one JSON line a step to stderr (rows, tokens, compute and in-between time), and a summary.',
};
