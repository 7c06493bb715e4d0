import type { KvCacheEvent, KvCacheTier, KvGroup } from '@kvasir/interfaces';
import { chainNames, nextName, rootName } from './names.js';

/** What is known of a name: the tokens of its whole chain. */
interface Named {
  readonly salt: string;
  readonly tokens: readonly number[];
  readonly parent: string;
}

/** Someone who knows the cache from its events only. */
export class Follower {
  /** `hash:group` of what is findable, by tier. */
  readonly tiers: Readonly<Record<KvCacheTier, Set<string>>> = { pool: new Set(), host: new Set() };
  /** Names that must not leave the pool. */
  pinned: ReadonlySet<string> = new Set();
  /** Content may leave in any order, pins or not: a reset, or a failed step. */
  isUpheaval = false;
  readonly violations: string[] = [];
  numEvents = 0;
  readonly #named = new Map<string, Named>();
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;

  constructor(groups: readonly KvGroup[], blockSize: number, salts: readonly string[]) {
    this.#groups = groups;
    this.#blockSize = blockSize;
    for (const salt of salts) this.#named.set(rootName(blockSize, salt), { salt, tokens: [], parent: '' });
  }

  contentOf(hash: string): Named {
    return this.#named.get(hash)!;
  }

  /** Content that comes from elsewhere: its events have no tokens. */
  learn(salt: string, tokens: readonly number[]): void {
    let parent = rootName(this.#blockSize, salt);
    chainNames(this.#blockSize, salt, tokens).forEach((hash, at) => {
      this.#named.set(hash, { salt, tokens: tokens.slice(0, (at + 1) * this.#blockSize), parent });
      parent = hash;
    });
  }

  follow(event: KvCacheEvent): void {
    this.numEvents++;
    if (event.type === 'cleared') {
      this.tiers[event.tier].clear();
      return;
    }
    if (event.type === 'stored') this.#learnRun(event);
    for (const hash of event.hashes) {
      const name = `${hash}:${event.group}`;
      const tier = this.tiers[event.tier];
      if (event.type === 'stored') {
        if (!this.#named.has(hash)) this.violations.push(`stored ${name} out of nothing`);
        if (tier.has(name)) this.violations.push(`stored ${name} twice in ${event.tier}`);
        tier.add(name);
        continue;
      }
      if (!tier.delete(name)) this.violations.push(`removed ${name} that is not in ${event.tier}`);
      if (event.tier === 'pool' && !this.isUpheaval) this.#checkLeaves(hash, event.group);
    }
  }

  /** The tokens of a `stored` event hash to its names. */
  #learnRun(event: Extract<KvCacheEvent, { type: 'stored' }>): void {
    if (event.tokenIds === undefined || event.parentHash === undefined) return;
    let parent = event.parentHash;
    event.hashes.forEach((hash, at) => {
      const known = this.#named.get(parent);
      const own = event.tokenIds!.slice(at * event.blockSize, (at + 1) * event.blockSize);
      if (nextName(parent, own) !== hash) this.violations.push(`tokens ${own} after ${parent} are not ${hash}`);
      if (known === undefined) this.violations.push(`parent ${parent} was never named`);
      else this.#named.set(hash, { salt: known.salt, tokens: [...known.tokens, ...own], parent });
      parent = hash;
    });
  }

  /** What was evicted has nothing cached hanging on it, and no pin. */
  #checkLeaves(hash: string, group: number): void {
    if (this.pinned.has(`${hash}:${group}`)) this.violations.push(`pinned ${hash}:${group} is gone`);
    if (this.#groups[group]!.kind !== 'full') return;
    for (const name of this.tiers.pool) {
      const [other, otherGroup] = name.split(':') as [string, string];
      if (Number(otherGroup) === group && this.#named.get(other)?.parent === hash) {
        this.violations.push(`${hash} was evicted before its child ${other}`);
      }
    }
  }
}
