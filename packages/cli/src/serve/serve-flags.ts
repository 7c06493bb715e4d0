import { engineFlags, modelFlags } from '../commands/model-flags.js';
import type { Flag } from '../flags/flag.js';
import { accessFlags } from './access-flags.js';
import { embedderFlags } from './embedder-flags.js';
import { limitFlags } from './limit-flags.js';
import { pinFlags } from './pinned-prompts.js';
import { serveOutputFlags } from './serve-output.js';
import { superviseFlags } from './supervise-flags.js';

/** Every flag of `kvasir serve`. */
export const serveFlags: readonly Flag[] = [
  ...modelFlags,
  {
    kind: 'string',
    name: 'served-model-name',
    placeholder: 'NAME',
    defaultText: 'the model as given',
    description: 'Name that requests and /v1/models use.',
  },
  { kind: 'string', name: 'host', placeholder: 'ADDRESS', default: '127.0.0.1', description: 'Address to listen on.' },
  {
    kind: 'integer',
    name: 'port',
    minimum: 0,
    maximum: 65_535,
    default: 8000,
    description: 'Port to listen on; 0 picks a free one.',
  },
  ...embedderFlags,
  ...accessFlags,
  ...engineFlags,
  ...pinFlags,
  {
    kind: 'integer',
    name: 'max-queue',
    minimum: 1,
    default: 1024,
    description: 'Requests that may wait; further ones get a 429.',
  },
  ...limitFlags,
  {
    kind: 'boolean',
    name: 'trust-request-chat-template',
    default: false,
    description: 'Render chat templates that requests bring (sandboxed and bounded).',
  },
  {
    kind: 'integer',
    name: 'drain-timeout',
    aliases: ['shutdown-timeout'],
    minimum: 0,
    maximum: 86_400,
    default: 30,
    description:
      'Seconds that running requests get to end after SIGINT or SIGTERM; what is left is cut off (exit code 3).',
  },
  ...superviseFlags,
  {
    kind: 'boolean',
    name: 'enable-log-requests',
    default: false,
    description: 'Log one line a request to stderr (never its text).',
  },
  {
    kind: 'boolean',
    name: 'log-prompts',
    default: false,
    description: 'Prompts are part of that line. Outputs never are.',
  },
  ...serveOutputFlags,
  { kind: 'string', name: 'config', placeholder: 'FILE', description: 'YAML file with any of these flags.' },
];
