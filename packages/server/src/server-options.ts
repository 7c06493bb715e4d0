import { InvalidArgumentError, SAMPLING_LIMITS } from '@kvasir/interfaces';
import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify';
import type { Registry } from 'prom-client';
import type { ApiKey } from './http/authentication.js';
import { checkTls, type TlsOptions } from './http/tls-options.js';
import { closestName } from './requests/closest-name.js';
import type { EmbedderEntry } from './served-embedder.js';

/** Options of `createServer`. */
export interface KvasirServerOptions {
  /** Names that clients may ask for; answers use the first unless a client asked for another. Default: the model's own. */
  readonly servedModelNames?: readonly string[];
  /**
   * Keys of which every route but `/health` and `/ready` wants one. The name of a key is the tenant of its requests.
   * Default: none, everyone is let in.
   */
  readonly apiKeys?: readonly (string | ApiKey)[];
  /** Cached prefixes are not shared between tenants. Default `false`. */
  readonly isolateTenants?: boolean;
  /** Serves `/metrics` without a key, then without the names of tenants. Default `false`. */
  readonly metricsWithoutKey?: boolean;
  /** Origins whose pages may call the server: exact ones, or `*` for all. Default: none. */
  readonly corsOrigins?: readonly string[];
  /** Serves HTTPS. Default: HTTP. */
  readonly tls?: TlsOptions;
  /** Key of `/reset_prefix_cache`, `/abort_requests`, `/server_info` and `/kv_events`. Default: none, and they are not served. */
  readonly adminKey?: string;
  /** Renders templates that clients send as `chat_template`. Default `false`: they are refused. */
  readonly trustRequestChatTemplate?: boolean;
  /** Most alternatives that `logprobs`, `top_logprobs` and `prompt_logprobs` may ask for. Default: the engine's limit, which caps it. */
  readonly maxLogprobs?: number;
  /** Most prompts of one completions request. Default 128. */
  readonly maxPrompts?: number;
  /** Encoders behind `/v1/embeddings`, `/v1/rerank` and `/v1/score`, told apart by name. Default: none, and these routes are not served. */
  readonly embedders?: readonly EmbedderEntry[];
  /** Most inputs (texts, documents) of one request to them. Default 2048. */
  readonly maxEmbeddingInputs?: number;
  /** Most tokens of one request to them. Default 300,000. */
  readonly maxEmbeddingTokens?: number;
  /** Most characters of one text for them, which is tokenized at one go. Default 262,144. */
  readonly maxInputCharacters?: number;
  /** Most choices (`n`, `best_of`) of one prompt. Default 128. */
  readonly maxChoices?: number;
  /** Most entries of `logit_bias`. Default, and at most, 2048. */
  readonly maxLogitBias?: number;
  /** Most stop strings, and most UTF-16 code units of one. Default 64 and 1024. */
  readonly maxStopStrings?: number;
  readonly maxStopLength?: number;
  /** A client's chat template may take this long to compile and to render. Default 100. */
  readonly templateTimeoutMs?: number;
  /** Longest body. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Longest request line and headers together. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Deepest nesting of a JSON body. Default 32. */
  readonly maxJsonDepth?: number;
  /** The head of a request must have arrived within this time. Default 20,000; 0 waits as long as for the request. */
  readonly headersTimeoutMs?: number;
  /** A request must have arrived in full within this time. Default 60,000; 0 waits for ever. */
  readonly requestTimeoutMs?: number;
  /** An idle connection is closed after this time. Default 72,000. */
  readonly keepAliveTimeoutMs?: number;
  /** A client that takes nothing of its answer for this long is dropped. Default 60,000. */
  readonly stallTimeoutMs?: number;
  /** Bytes of a stream that wait for a slow client; one that falls further behind is dropped. Default 16 MiB. */
  readonly maxUnsentBytes?: number;
  /** Most connections at a time; further ones are closed at once. Default 16,384. */
  readonly maxConnections?: number;
  /** Where metrics go. Default: a registry of the server's own. */
  readonly metricsRegistry?: Registry;
  /** Before the colon of every metric. Default `vllm`, so that its dashboards work. */
  readonly metricsPrefix?: string;
  /** Prompts are part of the log. Default `false`: neither prompts nor outputs are. */
  readonly logPrompts?: boolean;
  /** `true`, pino's options, or a pino instance. Default: quiet. */
  readonly logger?: boolean | Exclude<FastifyServerOptions['logger'], boolean | undefined> | FastifyBaseLogger;
  /** What `/version` says. Default: the version of this package. */
  readonly version?: string;
  /** Monotonic milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
}

type Optional = 'servedModelNames' | 'adminKey' | 'metricsRegistry' | 'tls' | 'version';

/** {@link KvasirServerOptions} with defaults filled in. */
export type ResolvedServerOptions = Required<Omit<KvasirServerOptions, Optional>> & Pick<KvasirServerOptions, Optional>;

/** What a server keeps of them: keys are held as hashes, by those who check them. */
export type KeptServerOptions = Omit<ResolvedServerOptions, 'apiKeys' | 'adminKey' | 'tls'>;

const DEFAULTS: Required<Omit<KvasirServerOptions, Optional | 'maxLogprobs'>> = {
  apiKeys: [],
  isolateTenants: false,
  metricsWithoutKey: false,
  corsOrigins: [],
  trustRequestChatTemplate: false,
  maxPrompts: 128,
  maxChoices: 128,
  embedders: [],
  maxEmbeddingInputs: 2048,
  maxEmbeddingTokens: 300_000,
  maxInputCharacters: 1 << 18,
  maxLogitBias: SAMPLING_LIMITS.logitBias,
  maxStopStrings: 64,
  maxStopLength: 1024,
  templateTimeoutMs: 100,
  maxBodyBytes: 16 << 20,
  maxHeaderBytes: 16 << 10,
  maxJsonDepth: 32,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 72_000,
  stallTimeoutMs: 60_000,
  maxUnsentBytes: 16 << 20,
  maxConnections: 16_384,
  metricsPrefix: 'vllm',
  logPrompts: false,
  logger: false,
  now: () => performance.now(),
};

/** Largest value of a timer. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Largest value of each number that has one. */
const MAXIMUMS: Partial<Record<keyof KvasirServerOptions, number>> = {
  maxLogitBias: SAMPLING_LIMITS.logitBias,
  maxBodyBytes: 1 << 30,
  maxHeaderBytes: 1 << 24,
  maxJsonDepth: 1024,
  maxUnsentBytes: 1 << 30,
  templateTimeoutMs: 10_000,
  headersTimeoutMs: MAX_TIMEOUT_MS,
  requestTimeoutMs: MAX_TIMEOUT_MS,
  keepAliveTimeoutMs: MAX_TIMEOUT_MS,
  stallTimeoutMs: MAX_TIMEOUT_MS,
};

/** Smallest value of each number. */
const MINIMUMS = {
  maxLogprobs: 0,
  maxPrompts: 1,
  maxChoices: 1,
  maxEmbeddingInputs: 1,
  maxEmbeddingTokens: 1,
  maxInputCharacters: 1,
  maxLogitBias: 0,
  maxStopStrings: 0,
  maxStopLength: 1,
  templateTimeoutMs: 1,
  maxBodyBytes: 1,
  maxHeaderBytes: 1,
  maxJsonDepth: 1,
  headersTimeoutMs: 0,
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 0,
  stallTimeoutMs: 1,
  maxUnsentBytes: 1,
  maxConnections: 1,
} as const satisfies Partial<Record<keyof KvasirServerOptions, number>>;

/**
 * Refuses what `createServer` would refuse, before there is a model.
 * @throws `InvalidArgumentError` Naming an option that is unknown or unusable, never repeating a secret.
 */
export function checkServerOptions(options: KvasirServerOptions): void {
  resolveOptions(options, 0);
}

/**
 * @param engineMaxLogprobs - What the engine was sized for.
 * @throws `InvalidArgumentError` Naming an option that is unknown or unusable.
 */
export function resolveOptions(options: KvasirServerOptions, engineMaxLogprobs: number): ResolvedServerOptions {
  const known = [
    ...Object.keys(DEFAULTS),
    'maxLogprobs',
    'servedModelNames',
    'adminKey',
    'metricsRegistry',
    'tls',
    'version',
  ];
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const closest = closestName(name, known);
    const hint = closest === undefined ? `known are ${known.join(', ')}` : `did you mean ${closest}?`;
    throw new InvalidArgumentError(name, `server option ${name} is not known; ${hint}`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved: ResolvedServerOptions = { ...DEFAULTS, maxLogprobs: engineMaxLogprobs, ...given };
  for (const [name, minimum] of Object.entries(MINIMUMS)) {
    const value = resolved[name as keyof typeof MINIMUMS];
    const maximum = MAXIMUMS[name as keyof typeof MINIMUMS];
    if (Number.isSafeInteger(value) && value >= minimum && value <= (maximum ?? value)) continue;
    const range = maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
    throw new InvalidArgumentError(name, `server option ${name} is ${value}, expected an integer ${range}`);
  }
  if (resolved.tls !== undefined) checkTls(resolved.tls);
  requireSomeNames('servedModelNames', resolved.servedModelNames);
  for (const { names } of resolved.embedders) requireSomeNames('embedders.names', names);
  checkApiKeys(resolved.apiKeys);
  checkOrigins(resolved.corsOrigins);
  requireNames('adminKey', resolved.adminKey === undefined ? undefined : [resolved.adminKey]);
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(resolved.metricsPrefix)) {
    throw new InvalidArgumentError(
      'metricsPrefix',
      `server option metricsPrefix is '${resolved.metricsPrefix}', expected letters, digits and underscores`,
    );
  }
  return { ...resolved, maxLogprobs: Math.min(resolved.maxLogprobs, engineMaxLogprobs) };
}

/**
 * Refuses blank keys and unusable names.
 * @throws `InvalidArgumentError` Without repeating a key.
 */
export function checkApiKeys(keys: readonly (string | ApiKey)[]): void {
  requireNames(
    'apiKeys',
    keys.map((entry) => (typeof entry === 'string' ? entry : entry?.key)),
  );
  for (const entry of keys) {
    const name = typeof entry === 'string' ? undefined : entry.name;
    if (name === undefined || /^[\w.@-]{1,64}$/.test(name)) continue;
    throw new InvalidArgumentError(
      'apiKeys',
      `server option apiKeys names a key '${name}', expected 1 to 64 letters, digits and _ . @ -`,
    );
  }
}

/** An origin with a path or a slash at its end would never match. */
function checkOrigins(origins: readonly string[]): void {
  for (const origin of origins) {
    const isOrigin = origin === '*' || (URL.canParse(origin) && new URL(origin).origin === origin);
    if (isOrigin) continue;
    throw new InvalidArgumentError(
      'corsOrigins',
      `server option corsOrigins has '${origin}', expected an origin like https://app.example or *`,
    );
  }
}

/** Names of a model: absent, or at least one. */
function requireSomeNames(option: string, names: readonly string[] | undefined): void {
  requireNames(option, names);
  if (names?.length !== 0) return;
  throw new InvalidArgumentError(option, `server option ${option} is empty, expected a name or none`);
}

/** Blank keys would let everyone in who sends a blank one. Values are not repeated: they may be secrets. */
function requireNames(option: string, names: readonly string[] | undefined): void {
  if (names === undefined) return;
  if (names.every((name) => typeof name === 'string' && name.trim() !== '')) return;
  throw new InvalidArgumentError(option, `server option ${option} has a blank entry, expected text; remove it`);
}
