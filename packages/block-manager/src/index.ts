export { DuplicateSequenceError, UnknownSequenceError } from './errors.js';
export type { KvCacheManagerOptions } from './options.js';
export { createKvCacheManager } from './paged-kv-cache-manager.js';
export { OTHER_TENANTS } from './tenant-ledger.js';
