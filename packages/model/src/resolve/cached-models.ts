import { withCacheLock } from './cache/cache-lock.js';
import { type CachedModel, cacheFolder, ModelCache } from './cache/model-cache.js';

/** Which cache is meant; default: that of the process's environment. */
export interface CacheOptions {
  readonly cacheFolder?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Complete models in the cache, by name. */
export function listCachedModels(options: CacheOptions = {}): Promise<CachedModel[]> {
  return openCache(options).list();
}

/** Deletes a cached model, waiting for a pull of it to end. @returns Whether there was one. */
export function removeCachedModel(name: string, options: CacheOptions = {}): Promise<boolean> {
  const cache = openCache(options);
  return withCacheLock(cache.lockPath(name), () => cache.remove(name));
}

function openCache(options: CacheOptions): ModelCache {
  return new ModelCache(options.cacheFolder ?? cacheFolder(options.env));
}
