import type { AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { InvalidArgumentError } from '@kvasir/interfaces';
import type { FastifyInstance } from 'fastify';
import { createFastify } from './create-fastify.js';
import { ListenError } from './errors.js';
import { type ApiKey, Authenticator } from './http/authentication.js';
import { checkTls, type TlsOptions, toSecureContext } from './http/tls-options.js';
import { Lifecycle } from './lifecycle.js';
import { LazyMetrics } from './metrics/lazy-metrics.js';
import type { MeasuredModels } from './metrics/measured-models.js';
import { ModelDirectory } from './model-directory.js';
import { tokenizeBadWord } from './requests/bad-words.js';
import { PromptBound } from './requests/prompt-bound.js';
import { RequestSchemas } from './requests/request-schemas.js';
import { RequestTemplates } from './requests/request-templates.js';
import type { ServedEmbedder } from './served-embedder.js';
import type { ServedModel } from './served-model.js';
import type { GenerationContext, ServerContext } from './server-context.js';
import { checkApiKeys, type KeptServerOptions, type KvasirServerOptions, resolveOptions } from './server-options.js';

/** Where to listen. */
export interface ListenOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. Default 8000. */
  readonly port?: number;
}

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, or `https:`. */
  readonly url: string;
}

/** How {@link KvasirServer.close} ends. */
export interface CloseOptions {
  /** Running requests may end within this time; then they are aborted. Default 30,000. */
  readonly drainTimeoutMs?: number;
}

/** How a server ended. */
export interface CloseResult {
  /** HTTP requests that were cut off because they did not end in time. */
  readonly numAborted: number;
}

/** An HTTP server over a language model, embedders, or both. */
export interface KvasirServer {
  /** @throws {@link ListenError} When the address is in use or not allowed. */
  listen(options?: ListenOptions): Promise<ServerAddress>;
  /** `undefined` until the server listens. */
  readonly address: ServerAddress | undefined;
  /**
   * Replaces the API keys; requests that were let in go on.
   * @throws `InvalidArgumentError` For an unusable one, and for none where there were some: that would open the server.
   */
  setApiKeys(keys: readonly (string | ApiKey)[]): void;
  /**
   * Replaces certificate and key for connections from now on.
   * @throws `InvalidArgumentError` When they cannot be used, or the server does not serve HTTPS; the old ones stay.
   */
  setTls(tls: TlsOptions): void;
  /** Stops taking requests, lets running ones end within a bound, then closes. Later calls only shorten the bound. The model stays open. */
  close(options?: CloseOptions): Promise<CloseResult>;
  /** For further routes and plugins, before `listen`. Routes added here want an API key too. */
  readonly fastify: FastifyInstance;
}

/** prom-client is loaded this long after the server listens, unless a scrape comes first. */
const METRICS_LOAD_DELAY_MS = 1000;
const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;
const SHUTDOWN_REASON =
  'the server shuts down and could not wait until the request was done; send it again to another or later';
/** Aborted requests get this long to write their last event before their sockets are destroyed. */
const ABORT_GRACE_MS = 500;

/**
 * Puts models on the wire: OpenAI's chat, completions and embeddings, vLLM's tokenize, score and metrics.
 * @param model - The language model; `undefined` for a server of `embedders` alone.
 * @throws `InvalidArgumentError` Naming an option that is unknown or unusable, or when there is nothing to serve.
 */
export function createServer(model: ServedModel | undefined, options: KvasirServerOptions = {}): KvasirServer {
  const { apiKeys, adminKey, tls, ...resolved } = resolveOptions(options, model?.engine.limits.maxLogprobs ?? 0);
  const models = new ModelDirectory(model, resolved.servedModelNames, resolved.embedders);
  const { metricsRegistry: registry, metricsPrefix: prefix, metricsWithoutKey } = resolved;
  const context: ServerContext = {
    models,
    createdAt: Math.floor(Date.now() / 1000),
    options: resolved,
    metrics: new LazyMetrics(measuredModels(model, models), { registry, prefix, showTenants: !metricsWithoutKey }),
    users: new Authenticator(apiKeys),
    admins: new Authenticator(adminKey === undefined ? [] : [adminKey]),
    schemas: new RequestSchemas(
      { ...resolved, vocabSize: model?.tokenizer.vocabSize ?? 1 },
      {
        ...resolved,
        vocabSize: Math.max(1, ...models.embedders.map(({ tokenizer }) => tokenizer.vocabSize)),
        width: Math.max(1, ...models.embedders.map(({ width }) => width)),
      },
    ),
    ongoing: new Set(),
  };
  const generation = model === undefined ? undefined : generationContext(context, model, resolved);
  return new ModelServer(context, generation, tls);
}

function generationContext(context: ServerContext, model: ServedModel, options: KeptServerOptions): GenerationContext {
  const { tokenizer } = model;
  return {
    ...context,
    model,
    promptBound: new PromptBound(tokenizer, model.engine.limits.maxModelLen),
    templates: new RequestTemplates(model, options),
    sampling: {
      vocabSize: tokenizer.vocabSize,
      defaults: model.defaultSampling ?? {},
      tokenizeBadWord: (word, path) => tokenizeBadWord(tokenizer, word, path),
    },
  };
}

function measuredModels(model: ServedModel | undefined, { entries, embedders }: ModelDirectory): MeasuredModels {
  const nameOf = (served: ServedEmbedder | undefined) =>
    entries.find(({ embedder }) => embedder === served)?.name ?? served?.name ?? '';
  return {
    model: model === undefined ? undefined : { name: nameOf(undefined), served: model },
    embedders: embedders.map((served) => ({ name: nameOf(served), served })),
  };
}

class ModelServer implements KvasirServer {
  readonly fastify: FastifyInstance;
  readonly #context: ServerContext;
  readonly #lifecycle = new Lifecycle();
  readonly #stopObserving: readonly (() => void)[];
  #address: ServerAddress | undefined;
  #metricsTimer: NodeJS.Timeout | undefined;
  #closing: Promise<CloseResult> | undefined;
  #numAborted = 0;
  readonly #drainTimers: NodeJS.Timeout[] = [];
  #giveUp: () => void = () => {};
  readonly #givenUp = new Promise<void>((resolve) => {
    this.#giveUp = resolve;
  });

  constructor(context: ServerContext, generation: GenerationContext | undefined, tls: TlsOptions | undefined) {
    this.#context = context;
    this.fastify = createFastify(context, generation, this.#lifecycle, tls);
    const { metrics, models } = context;
    this.#stopObserving = [
      ...(generation === undefined ? [] : [generation.model.engine.observe(metrics)]),
      ...models.embedders.map((embedder, index) =>
        embedder.observe({
          onBatch: (batch) => metrics.onBatch(index, batch),
          onEmbedded: (input) => metrics.onEmbedded(index, input),
        }),
      ),
    ];
  }

  setApiKeys(keys: readonly (string | ApiKey)[]): void {
    checkApiKeys(keys);
    const { users } = this.#context;
    if (keys.length === 0 && users.hasKeys) {
      throw new InvalidArgumentError('apiKeys', 'there is no API key in the new list, expected at least one');
    }
    users.replace(keys);
  }

  setTls(tls: TlsOptions): void {
    const { server } = this.fastify;
    if (!(server instanceof TlsServer)) {
      throw new InvalidArgumentError('tls', 'the server does not serve HTTPS, so it has no certificate to replace');
    }
    checkTls(tls);
    server.setSecureContext(toSecureContext(tls));
  }

  get address(): ServerAddress | undefined {
    return this.#address;
  }

  async listen({ host = '127.0.0.1', port = 8000 }: ListenOptions = {}): Promise<ServerAddress> {
    try {
      await this.fastify.listen({ host, port });
    } catch (cause) {
      throw toListenError(cause, host, port);
    }
    const bound = this.fastify.server.address() as AddressInfo;
    const scheme = this.fastify.server instanceof TlsServer ? 'https' : 'http';
    this.#address = {
      host,
      port: bound.port,
      url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${bound.port}`,
    };
    this.#lifecycle.advance('ready');
    this.#metricsTimer = setTimeout(() => void this.#context.metrics.load(), METRICS_LOAD_DELAY_MS).unref();
    return this.#address;
  }

  close({ drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS }: CloseOptions = {}): Promise<CloseResult> {
    this.#lifecycle.advance('draining');
    this.#drainTimers.push(setTimeout(() => this.#abortAll(), drainTimeoutMs).unref());
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<CloseResult> {
    await Promise.race([this.#lifecycle.idle(), this.#givenUp]);
    for (const timer of this.#drainTimers) clearTimeout(timer);
    clearTimeout(this.#metricsTimer);
    await this.fastify.close();
    for (const stop of this.#stopObserving) stop();
    this.#lifecycle.advance('closed');
    return { numAborted: this.#numAborted };
  }

  #abortAll(): void {
    this.#numAborted = Math.max(this.#numAborted, this.#lifecycle.numRunning);
    for (const answer of this.#context.ongoing) answer.abort(SHUTDOWN_REASON);
    this.#drainTimers.push(setTimeout(this.#giveUp, ABORT_GRACE_MS).unref());
  }
}

function toListenError(cause: unknown, host: string, port: number): unknown {
  const code = (cause as { code?: unknown }).code;
  const address = `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return new ListenError(address, `${address} is in use by another program; stop it or choose another port`, {
      cause,
    });
  }
  if (code === 'EACCES') {
    return new ListenError(address, `listening on ${address} is not permitted; choose a port above 1023`, { cause });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new ListenError(address, `${host} is not an address of this machine; choose one that is, 127.0.0.1 say`, {
      cause,
    });
  }
  return cause;
}
