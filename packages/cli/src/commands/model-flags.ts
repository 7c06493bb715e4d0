import type { Flag } from '../flags/flag.js';

/** Name of the model that is used when none is given. */
const DEFAULT_MODEL = 'smollm2-135m';

/** Flags of every command that needs a model. */
export const modelFlags: readonly Flag[] = [
  {
    kind: 'string',
    name: 'model',
    placeholder: 'MODEL',
    default: DEFAULT_MODEL,
    description:
      'Catalogue name, Hugging Face id or path (.gguf file or folder); the positional argument does the same.',
  },
  {
    kind: 'boolean',
    name: 'offline',
    default: false,
    description: 'Never use the network; fail if the model is not cached.',
  },
];

/** Flags that shape a session. Names are vLLM's. */
export const engineFlags: readonly Flag[] = [
  {
    kind: 'choice',
    name: 'dtype',
    choices: ['auto', 'float32'],
    default: 'auto',
    description: 'Numeric mode: the fast path of the weights, or float32 throughout.',
  },
  {
    kind: 'integer',
    name: 'max-model-len',
    minimum: 1,
    defaultText: "the model's own, or what memory allows",
    description: 'Longest prompt plus output, in tokens.',
  },
  {
    kind: 'integer',
    name: 'max-num-seqs',
    minimum: 1,
    maximum: 4096,
    defaultText: '32 a compute thread, or what the KV cache holds',
    description: 'Sequences that run at the same time.',
  },
  {
    kind: 'integer',
    name: 'max-num-batched-tokens',
    minimum: 1,
    maximum: 65_536,
    defaultText: '512, at least --max-num-seqs',
    description: 'Tokens of one step; long prompts are cut into chunks of it.',
  },
  {
    kind: 'integer',
    name: 'max-in-flight',
    minimum: 1,
    maximum: 2,
    default: 1,
    description:
      'Steps submitted before the first has its result: with 2, JavaScript works while the next step computes.',
  },
  {
    kind: 'choice',
    name: 'policy',
    choices: ['fcfs', 'priority', 'fair', 'shortest-prefix-first'],
    default: 'fcfs',
    description: 'Who goes first: the earliest, the smallest priority, tenants by share, or the least left to compute.',
  },
  {
    kind: 'string',
    name: 'tenant-weights',
    placeholder: 'NAME=N,...',
    defaultText: '1 each',
    description: 'Shares of tenants under --policy fair.',
  },
  {
    kind: 'number',
    name: 'target-itl-ms',
    minimum: 0,
    isMinimumExcluded: true,
    maximum: 60_000,
    defaultText: 'none',
    description: 'Time between two tokens of a stream that prompts leave room for.',
  },
  {
    kind: 'size',
    name: 'kv-cache-memory-bytes',
    minimum: 1,
    defaultText: 'from available memory',
    description: 'Memory for keys and values.',
  },
  {
    kind: 'size',
    name: 'host-kv-cache-memory-bytes',
    minimum: 1,
    defaultText: 'none',
    description: 'Second tier for keys and values that the first evicts, brought back when a prefix matches.',
  },
  {
    kind: 'string',
    name: 'host-kv-cache-path',
    placeholder: 'FILE',
    description: 'Keeps that tier in a file, which is made and overwritten, instead of in memory.',
  },
  {
    kind: 'choice',
    name: 'kv-cache-dtype',
    choices: ['auto', 'float32', 'float16', 'bfloat16', 'int8'],
    default: 'auto',
    description: 'Type of cached keys and values.',
  },
  {
    kind: 'integer',
    name: 'block-size',
    minimum: 16,
    maximum: 256,
    default: 16,
    description: 'Tokens of a KV block, a multiple of 16.',
  },
  {
    kind: 'choice',
    name: 'generation-config',
    choices: ['auto', 'vllm'],
    default: 'auto',
    description: "Default sampling parameters: auto takes the model's own (generation_config.json), vllm neutral ones.",
  },
  {
    kind: 'integer',
    name: 'seed',
    minimum: 0,
    defaultText: 'random',
    description: 'Seed from which requests without a seed of their own get theirs.',
  },
  {
    kind: 'integer',
    name: 'threads',
    minimum: 1,
    maximum: 1024,
    defaultText: 'one a physical core',
    description: 'Compute threads.',
  },
];
