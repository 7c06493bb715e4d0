import { type BlockId, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import type { HostTier } from './host-tier.js';
import type { KvEventHub } from './kv-event-hub.js';
import type { PinnedPrefixes } from './pinned-prefixes.js';
import { TenantLedger } from './tenant-ledger.js';

/** What {@link PublishedBlocks} is made of. */
export interface PublishedBlocksParts {
  readonly pool: BlockPool;
  readonly tier: HostTier | null;
  readonly pins: PinnedPrefixes;
  readonly events: KvEventHub;
  readonly maxTenants: number;
}

/**
 * Everything that can be found, and all that must happen when that changes:
 *
 * | change of a pool block | tenant counts | pins | host tier | events |
 * |---|---|---|---|---|
 * | published | remembers whose | hold it if wanted | | by the caller, who knows the tokens |
 * | evicted | counted | never: held | stores it | removed |
 * | withdrawn (reset, failed step) | | wait for it again | | removed or cleared |
 */
export class PublishedBlocks {
  readonly pool: BlockPool;
  readonly tier: HostTier | null;
  readonly pins: PinnedPrefixes;
  readonly events: KvEventHub;
  readonly tenants: TenantLedger;
  /** By block: the tenant whose sequence published it. */
  readonly #tenantOf: Int32Array;

  constructor({ pool, tier, pins, events, maxTenants }: PublishedBlocksParts) {
    this.pool = pool;
    this.tier = tier;
    this.pins = pins;
    this.events = events;
    this.tenants = new TenantLedger(maxTenants);
    this.#tenantOf = new Int32Array(pool.size + 1);
    pool.onEvict = (block) => this.#onEvict(block);
  }

  /** Pool block with the digest at `words[at ..]`, else {@link NULL_BLOCK}. */
  find(words: Int32Array, at: number, group: number): BlockId {
    return this.pool.index.find(words, at, group);
  }

  /**
   * Publishes pool block `block` under the digest at `words[at ..]`.
   * @returns `false` when that content is published already; then nothing has changed.
   */
  publish(block: BlockId, words: Int32Array, at: number, group: number, tenant: number): boolean {
    if (!this.pool.index.insert(block, words, at, group)) return false;
    this.#tenantOf[block] = tenant;
    this.pins.onPublished(block, words, at, group);
    return true;
  }

  /** Withdraws what came or would come by transfers of these serials. */
  withdrawSpoilt(spoilt: ReadonlySet<number>, hostOrigins: Float64Array): void {
    const { pool } = this;
    this.tier?.forgetSpoilt(spoilt, hostOrigins);
    this.pins.letGoWhere((block) => spoilt.has(pool.origins[block]!));
    for (let block = 1 as BlockId; block <= pool.size; block++) {
      if (!pool.index.has(block) || !spoilt.has(pool.origins[block]!)) continue;
      this.#announceRemoval(block);
      pool.withdraw(block);
    }
  }

  /** Withdraws what no sequence holds, from every tier. */
  reset(): void {
    const { pool } = this;
    // A block of which a pin is the only holder goes too.
    this.pins.letGoWhere((block) => pool.numHolders(block) === 1);
    const idle = pool.idlePublished();
    for (const block of idle) {
      if (idle.length < pool.index.size) this.#announceRemoval(block);
    }
    const isEmptied = idle.length === pool.index.size;
    for (const block of idle) pool.withdraw(block);
    if (isEmptied) this.events.cleared('pool');
    this.tier?.clear();
  }

  checkIntegrity(): void {
    this.pins.checkIntegrity();
    this.tier?.checkIntegrity();
  }

  #onEvict(block: BlockId): void {
    const { index } = this.pool;
    this.tenants.countEviction(this.#tenantOf[block]!);
    this.#announceRemoval(block);
    this.tier?.store(block, index.digests, index.digestOf(block), index.groupOf(block));
  }

  #announceRemoval(block: BlockId): void {
    const { index } = this.pool;
    this.events.removed('pool', index.groupOf(block), index.digests, index.digestOf(block));
  }
}
