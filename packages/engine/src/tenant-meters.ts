/** Counters of one tenant since the engine was made. */
export interface TenantStats {
  readonly numRequests: number;
  readonly numFinished: number;
  /** Prompt tokens of its requests that reached their first step, and how many of them were cached. */
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly generationTokens: number;
}

/** {@link TenantStats} as they are counted. */
export type TenantCounters = { -readonly [K in keyof TenantStats]: TenantStats[K] };

/** Tenants that are counted by name; later ones are counted together, so that names cannot fill the memory. */
const MAX_TENANTS = 1000;
/** Name under which tenants beyond the bound are counted. */
const OTHER_TENANTS = '*';

/** Counts by tenant. A request looks its counters up once. */
export class TenantMeters {
  readonly #tenants = new Map<string, TenantCounters>();

  get all(): ReadonlyMap<string, TenantStats> {
    return this.#tenants;
  }

  /** Counters of `tenant`; `''` is who names none. */
  of(tenant = ''): TenantCounters {
    const name = this.#tenants.has(tenant) || this.#tenants.size < MAX_TENANTS ? tenant : OTHER_TENANTS;
    let counters = this.#tenants.get(name);
    if (counters === undefined) {
      counters = { numRequests: 0, numFinished: 0, promptTokens: 0, cachedPromptTokens: 0, generationTokens: 0 };
      this.#tenants.set(name, counters);
    }
    return counters;
  }
}
