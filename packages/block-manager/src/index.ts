export { DuplicateSequenceError, PinLimitError, SpoiltSequenceError, UnknownSequenceError } from './errors.js';
export type { LoadCosts } from './load-cost.js';
export { whenCheaperThanComputing } from './load-cost.js';
export type { HostTierOptions, KvCacheManagerOptions } from './options.js';
export { createKvCacheManager } from './paged-kv-cache-manager.js';
export { OTHER_TENANTS } from './tenant-ledger.js';
