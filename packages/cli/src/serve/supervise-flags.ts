import type { Flag } from '../flags/flag.js';

/** Flags of a server that is started again when it crashes. */
export const superviseFlags: readonly Flag[] = [
  {
    kind: 'boolean',
    name: 'supervise',
    default: false,
    description: 'Run the server in a process of its own and start it again when it crashes.',
  },
  {
    kind: 'integer',
    name: 'max-restarts',
    minimum: 0,
    maximum: 1000,
    default: 5,
    description: 'Restarts within 5 minutes; at one more, --supervise gives up with the exit code of the crash.',
  },
];
