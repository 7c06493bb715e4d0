import { InvalidArgumentError } from '@kvasir/interfaces';
import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify';
import type { Registry } from 'prom-client';
import { closestName } from './requests/closest-name.js';

/** Options of `createServer`. */
export interface KvasirServerOptions {
  /** Names that clients may ask for; answers use the first unless a client asked for another. Default: the model's own. */
  readonly servedModelNames?: readonly string[];
  /** Keys of which every route but `/health` and `/ready` wants one. Default: none, everyone is let in. */
  readonly apiKeys?: readonly string[];
  /** Key of `/reset_prefix_cache`, `/abort_requests`, `/server_info` and `/kv_events`. Default: none, and they are not served. */
  readonly adminKey?: string;
  /** Renders templates that clients send as `chat_template`. Default `false`: they are refused. */
  readonly trustRequestChatTemplate?: boolean;
  /** Most alternatives that `logprobs`, `top_logprobs` and `prompt_logprobs` may ask for. Default: the engine's limit, which caps it. */
  readonly maxLogprobs?: number;
  /** Most prompts of one completions request. Default 128. */
  readonly maxPrompts?: number;
  /** Most choices (`n`, `best_of`) of one prompt. Default 128. */
  readonly maxChoices?: number;
  /** Longest body. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Longest request line and headers together. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Deepest nesting of a JSON body. Default 32. */
  readonly maxJsonDepth?: number;
  /** A request must have arrived in full within this time. Default 60,000; 0 waits for ever. */
  readonly requestTimeoutMs?: number;
  /** An idle connection is closed after this time. Default 72,000. */
  readonly keepAliveTimeoutMs?: number;
  /** A streaming client that takes nothing for this long is dropped. Default 60,000. */
  readonly stallTimeoutMs?: number;
  /** Where metrics go. Default: a registry of the server's own. */
  readonly metricsRegistry?: Registry;
  /** Before the colon of every metric. Default `vllm`, so that its dashboards work. */
  readonly metricsPrefix?: string;
  /** `true`, pino's options, or a pino instance. Default: quiet. Prompts and outputs are never logged. */
  readonly logger?: boolean | Exclude<FastifyServerOptions['logger'], boolean | undefined> | FastifyBaseLogger;
  /** What `/version` says. Default: the version of this package. */
  readonly version?: string;
  /** Monotonic milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
}

type Optional = 'servedModelNames' | 'adminKey' | 'metricsRegistry' | 'version';

/** {@link KvasirServerOptions} with defaults filled in. */
export type ResolvedServerOptions = Required<Omit<KvasirServerOptions, Optional>> & Pick<KvasirServerOptions, Optional>;

const DEFAULTS: Required<Omit<KvasirServerOptions, Optional | 'maxLogprobs'>> = {
  apiKeys: [],
  trustRequestChatTemplate: false,
  maxPrompts: 128,
  maxChoices: 128,
  maxBodyBytes: 16 << 20,
  maxHeaderBytes: 16 << 10,
  maxJsonDepth: 32,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 72_000,
  stallTimeoutMs: 60_000,
  metricsPrefix: 'vllm',
  logger: false,
  now: () => performance.now(),
};

/** Smallest value of each number. */
const MINIMUMS = {
  maxLogprobs: 0,
  maxPrompts: 1,
  maxChoices: 1,
  maxBodyBytes: 1,
  maxHeaderBytes: 1,
  maxJsonDepth: 1,
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 0,
  stallTimeoutMs: 1,
} as const satisfies Partial<Record<keyof KvasirServerOptions, number>>;

/**
 * @param engineMaxLogprobs - What the engine was sized for.
 * @throws `InvalidArgumentError` Naming an option that is unknown or unusable.
 */
export function resolveOptions(options: KvasirServerOptions, engineMaxLogprobs: number): ResolvedServerOptions {
  const known = [...Object.keys(DEFAULTS), 'maxLogprobs', 'servedModelNames', 'adminKey', 'metricsRegistry', 'version'];
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
    if (Number.isSafeInteger(value) && value >= minimum) continue;
    throw new InvalidArgumentError(
      name,
      `server option ${name} is ${value}, expected an integer of at least ${minimum}`,
    );
  }
  requireNames('servedModelNames', resolved.servedModelNames);
  requireNames('apiKeys', resolved.apiKeys);
  requireNames('adminKey', resolved.adminKey === undefined ? undefined : [resolved.adminKey]);
  if (resolved.servedModelNames?.length === 0) {
    throw new InvalidArgumentError(
      'servedModelNames',
      'server option servedModelNames is empty, expected a name or none',
    );
  }
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(resolved.metricsPrefix)) {
    throw new InvalidArgumentError(
      'metricsPrefix',
      `server option metricsPrefix is '${resolved.metricsPrefix}', expected letters, digits and underscores`,
    );
  }
  return { ...resolved, maxLogprobs: Math.min(resolved.maxLogprobs, engineMaxLogprobs) };
}

/** Blank keys would let everyone in who sends a blank one. Values are not repeated: they may be secrets. */
function requireNames(option: string, names: readonly string[] | undefined): void {
  if (names === undefined) return;
  if (names.every((name) => typeof name === 'string' && name.trim() !== '')) return;
  throw new InvalidArgumentError(option, `server option ${option} has a blank entry, expected text; remove it`);
}
