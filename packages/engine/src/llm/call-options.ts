import { type GenerateRequest, InvalidArgumentError } from '@kvasir/interfaces';

/** What a request carries beside its prompt and its sampling parameters. See {@link GenerateRequest}. */
export type RequestExtras = Omit<GenerateRequest, 'requestId' | 'promptTokenIds' | 'sampling'>;

/** How one call of an {@link LLM} runs and is cancelled: the extras of a request, all optional, and a signal. */
export type CallOptions = { readonly [K in keyof RequestExtras]?: RequestExtras[K] | undefined } & {
  /** Rejects with the signal's reason, wherever the request is. */
  readonly signal?: AbortSignal | undefined;
};

const TYPES: Readonly<Record<keyof CallOptions, string>> = {
  signal: 'object',
  cacheSalt: 'string',
  priority: 'number',
  tenant: 'string',
  n: 'number',
  bestOf: 'number',
  beam: 'object',
  timeoutMs: 'number',
  includeStopInOutput: 'boolean',
  skipSpecialTokens: 'boolean',
  spacesBetweenSpecialTokens: 'boolean',
};

/**
 * Splits call options into what belongs to the request and the signal; what is `undefined` is left out.
 * @throws `InvalidArgumentError` Naming the first option that is unknown or of another type.
 */
export function readCallOptions({ signal, ...extras }: CallOptions): {
  readonly signal: AbortSignal | undefined;
  readonly extras: RequestExtras;
} {
  const given = Object.entries({ signal, ...extras }).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const type = (TYPES as Readonly<Record<string, string>>)[name];
    if (type === undefined) {
      const known = Object.keys(TYPES).join(', ');
      throw new InvalidArgumentError(name, `unknown call option ${name}: expected one of ${known}`);
    }
    if (typeof value !== type) {
      throw new InvalidArgumentError(name, `${name} is ${String(value)}: expected a value of type ${type}`);
    }
  }
  const kept = given.filter(([name]) => name !== 'signal');
  return { signal, extras: Object.fromEntries(kept) as RequestExtras };
}
