import type { KvasirServerOptions } from '@kvasir/server';
import type { Flag, IntegerFlag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';

/** Options of the server that are numbers and have a flag. */
type Limit = Extract<
  keyof KvasirServerOptions,
  | `maxEmbedding${'Inputs' | 'Tokens'}`
  | 'maxInputCharacters'
  | `max${'Logprobs' | 'Prompts' | 'Choices' | 'LogitBias' | 'Connections'}`
  | `maxStop${string}`
  | `max${string}Bytes`
  | 'maxJsonDepth'
  | `${string}TimeoutMs`
>;

const MAX_MS = 2 ** 31 - 1;

/** What one request may cost, and how long and how much a connection may ask of the server. */
const LIMITS: Readonly<Record<Limit, IntegerFlag>> = {
  maxLogprobs: {
    ...{ kind: 'integer', name: 'max-logprobs', minimum: 0, maximum: 1024, default: 64 },
    description: 'Most alternatives a request may ask for with logprobs.',
  },
  maxPrompts: {
    ...{ kind: 'integer', name: 'max-prompts', minimum: 1, default: 128 },
    description: 'Most prompts of one completions request.',
  },
  maxChoices: {
    ...{ kind: 'integer', name: 'max-n', minimum: 1, default: 128 },
    description: 'Most choices of one prompt, for n and best_of.',
  },
  maxLogitBias: {
    ...{ kind: 'integer', name: 'max-logit-bias', minimum: 0, maximum: 2048, default: 2048 },
    description: 'Most entries of logit_bias.',
  },
  maxStopStrings: {
    ...{ kind: 'integer', name: 'max-stop-strings', minimum: 0, default: 64 },
    description: 'Most strings of stop.',
  },
  maxStopLength: {
    ...{ kind: 'integer', name: 'max-stop-length', minimum: 1, default: 1024 },
    description: 'Longest string of stop, in UTF-16 code units.',
  },
  maxEmbeddingInputs: {
    ...{ kind: 'integer', name: 'max-embedding-inputs', minimum: 1, default: 2048 },
    description: 'Most inputs (texts, documents) of one request to an embedding model.',
  },
  maxEmbeddingTokens: {
    ...{ kind: 'integer', name: 'max-embedding-tokens', minimum: 1, default: 300_000 },
    description: 'Most tokens of one request to an embedding model.',
  },
  maxInputCharacters: {
    ...{ kind: 'integer', name: 'max-input-characters', minimum: 1, default: 2 ** 18 },
    description: 'Most characters of one text for an embedding model.',
  },
  templateTimeoutMs: {
    ...{ kind: 'integer', name: 'template-timeout-ms', minimum: 1, maximum: 10_000, default: 100 },
    description: "Longest that a request's chat template may take to compile and to render.",
  },
  maxBodyBytes: {
    ...{ kind: 'size', name: 'max-body-bytes', minimum: 1, maximum: 2 ** 30, default: 16 * 2 ** 20 },
    description: 'Longest body; longer ones get a 413.',
  },
  maxHeaderBytes: {
    ...{ kind: 'size', name: 'max-header-bytes', minimum: 1, maximum: 2 ** 24, default: 16 * 2 ** 10 },
    description: 'Longest request line and headers together; longer ones get a 431.',
  },
  maxJsonDepth: {
    ...{ kind: 'integer', name: 'max-json-depth', minimum: 1, maximum: 1024, default: 32 },
    description: 'Deepest nesting of a JSON body.',
  },
  headersTimeoutMs: {
    ...{ kind: 'integer', name: 'headers-timeout-ms', minimum: 0, maximum: MAX_MS, default: 20_000 },
    description: 'Longest that the head of a request may take to arrive; 0: as long as the request.',
  },
  requestTimeoutMs: {
    ...{ kind: 'integer', name: 'request-timeout-ms', minimum: 0, maximum: MAX_MS, default: 60_000 },
    description: 'Longest that a whole request may take to arrive; 0: for ever.',
  },
  keepAliveTimeoutMs: {
    ...{ kind: 'integer', name: 'keep-alive-timeout-ms', minimum: 0, maximum: MAX_MS, default: 72_000 },
    description: 'An idle connection is closed after this time; 0: never.',
  },
  stallTimeoutMs: {
    ...{ kind: 'integer', name: 'stall-timeout-ms', minimum: 1, maximum: MAX_MS, default: 60_000 },
    description: 'A client that takes nothing of its answer for this long is dropped.',
  },
  maxUnsentBytes: {
    ...{ kind: 'size', name: 'max-unsent-bytes', minimum: 1, maximum: 2 ** 30, default: 16 * 2 ** 20 },
    description: 'A client that falls further behind its stream than this is dropped.',
  },
  maxConnections: {
    ...{ kind: 'integer', name: 'max-connections', minimum: 1, default: 16_384 },
    description: 'Most connections at a time; further ones are closed.',
  },
};

/** Flags of what one request may cost and of how patient a server is. */
export const limitFlags: readonly Flag[] = Object.values(LIMITS);

/** What {@link limitFlags} say, as the server takes it. */
export function limitOptions(flags: ParsedFlags): Pick<KvasirServerOptions, Limit> {
  const entries = Object.entries(LIMITS).map(([option, { name }]) => [option, flags.values.get(name)]);
  return Object.fromEntries(entries) as Pick<KvasirServerOptions, Limit>;
}
