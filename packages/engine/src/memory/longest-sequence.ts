import type { KvCacheManager } from '@kvasir/interfaces';

/** Longest sequence, up to `limit`, that the whole pool could hold; its last token is sampled and never stored. */
export function longestSequence(kvCache: KvCacheManager, limit: number): number {
  let fits = 0;
  let tooLong = limit + 1;
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (middle <= 1 || kvCache.fits(middle - 1)) fits = middle;
    else tooLong = middle;
  }
  return fits;
}
