import { InvariantError, type TenantCounts } from '@kvasir/interfaces';

/** What one tenant has here, and what it was served. */
export class Tenant implements TenantCounts {
  readonly name: string;
  readonly weight: number;
  numWaiting = 0;
  numRunning = 0;
  servedTokens = 0;
  /** Tokens over weight, and what it was credited when it came: comparable between tenants. */
  service: number;

  constructor(name: string, weight: number, service: number) {
    this.name = name;
    this.weight = weight;
    this.service = service;
  }

  get isIdle(): boolean {
    return this.numWaiting === 0 && this.numRunning === 0;
  }

  serve(numTokens: number): void {
    this.servedTokens += numTokens;
    this.service += numTokens / this.weight;
  }
}

/**
 * Tenants that have sequences here. One that comes, or comes back, starts level with the least served of those present: time
 * without sequences earns nothing. What one was served beyond that is remembered until the others have caught up.
 */
export class Tenants {
  readonly #weights: ReadonlyMap<string, number>;
  readonly #present = new Map<string, Tenant>();
  /** Service of tenants that left ahead of those present. */
  readonly #ahead = new Map<string, number>();

  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights;
  }

  /** A live view. */
  get all(): ReadonlyMap<string, Tenant> {
    return this.#present;
  }

  /** The tenant of that name, for a sequence that is about to be counted in it. */
  enter(name: string): Tenant {
    const present = this.#present.get(name);
    if (present !== undefined) return present;
    const least = this.#leastService();
    for (const [other, service] of this.#ahead) if (service <= least) this.#ahead.delete(other);
    const tenant = new Tenant(name, this.#weights.get(name) ?? 1, Math.max(least, this.#ahead.get(name) ?? 0));
    this.#ahead.delete(name);
    this.#present.set(name, tenant);
    return tenant;
  }

  /** To be called when a sequence of `tenant` has left. With the last tenant all is forgotten. */
  leave(tenant: Tenant): void {
    if (!tenant.isIdle || this.#present.get(tenant.name) !== tenant) return;
    this.#present.delete(tenant.name);
    if (this.#present.size === 0) this.#ahead.clear();
    else if (tenant.service > this.#leastService()) this.#ahead.set(tenant.name, tenant.service);
  }

  checkIntegrity(): void {
    for (const [name, { isIdle, service, servedTokens }] of this.#present) {
      if (isIdle) throw new InvariantError('a tenant without sequences was kept', { tenant: name });
      if (!(service >= 0 && servedTokens >= 0)) throw new InvariantError('service is no number', { service });
    }
  }

  #leastService(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { service } of this.#present.values()) if (service < least) least = service;
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }
}
