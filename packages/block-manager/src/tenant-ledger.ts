import type { TenantCacheStats } from '@kvasir/interfaces';

/** Name under which tenants are counted that came after the bound was reached. */
export const OTHER_TENANTS = '(other)';

/** Counters of one tenant. */
interface TenantCounters extends TenantCacheStats {
  queriedTokens: number;
  hitTokens: number;
  evictedBlocks: number;
}

/** Counts by tenant, for a bounded number of them: names come from requests, so their number is anyone's to choose. */
export class TenantLedger {
  readonly #maxTenants: number;
  readonly #byName = new Map<string, TenantCounters>();
  readonly #indexes = new Map<string, number>();
  readonly #counters: TenantCounters[] = [];

  constructor(maxTenants: number) {
    this.#maxTenants = maxTenants;
  }

  /** By name; live. */
  get all(): ReadonlyMap<string, TenantCacheStats> {
    return this.#byName;
  }

  /** A small number that stands for `name` for as long as the ledger lives. */
  indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    if (this.#indexes.size >= this.#maxTenants && name !== OTHER_TENANTS) return this.indexOf(OTHER_TENANTS);
    const counters = { queriedTokens: 0, hitTokens: 0, evictedBlocks: 0 };
    this.#byName.set(name, counters);
    this.#indexes.set(name, this.#counters.length);
    return this.#counters.push(counters) - 1;
  }

  countQuery(tenant: number, queriedTokens: number, hitTokens: number): void {
    const counters = this.#counters[tenant]!;
    counters.queriedTokens += queriedTokens;
    counters.hitTokens += hitTokens;
  }

  countEviction(tenant: number): void {
    this.#counters[tenant]!.evictedBlocks++;
  }
}
