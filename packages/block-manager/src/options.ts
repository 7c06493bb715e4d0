import { InvalidArgumentError, type KvGroup } from '@kvasir/interfaces';

/** A second pool in host memory or a file, for what the first one evicts. */
export interface HostTierOptions {
  /** Blocks that the backend allocates for it; block 0 is never used, as in the pool. At least 2. */
  readonly numBlocks: number;
  /** Whether loading `numBlocks` blocks beats computing `numTokens` tokens. Default: always. */
  readonly isWorthLoading?: (numTokens: number, numBlocks: number) => boolean;
}

/** How a KV cache manager is laid out; fixed for its life. */
export interface KvCacheManagerOptions {
  /** Blocks in the pool, the null block included: the number that the backend allocates. At least 2. */
  readonly numBlocks: number;
  /** Tokens a block. */
  readonly blockSize: number;
  /** Groups of layers with a block table each. They share the pool, so all have the same `bytesPerBlock`. */
  readonly groups: readonly KvGroup[];
  /** Publish full blocks and look prefixes up at `open`. Default `true`. */
  readonly enablePrefixCaching?: boolean;
  /** Mixed into every block hash. Managers that exchange blocks by hash need the same seed. Default `''`. */
  readonly hashSeed?: string;
  /** Tenants whose statistics are kept apart; later names share {@link OTHER_TENANTS}. Default 1,000. */
  readonly maxTenants?: number;
  /**
   * Part of the pool that pins may take, 0 to 0.9. `fits` leaves it out from the start, so that no later pin
   * takes room that was promised. Default 0: nothing can be pinned.
   */
  readonly maxPinnedShare?: number;
  /** Keeps what is evicted, and loads it when a prefix matches. Needs prefix caching. Default: none. */
  readonly hostTier?: HostTierOptions;
}

/** Default of {@link KvCacheManagerOptions.maxTenants}. */
export const DEFAULT_MAX_TENANTS = 1_000;

const KNOWN = [
  'numBlocks',
  'blockSize',
  'groups',
  'enablePrefixCaching',
  'hashSeed',
  'maxTenants',
  'maxPinnedShare',
  'hostTier',
];

/** @throws `InvalidArgumentError` naming the first option that cannot be used. */
export function checkOptions(options: KvCacheManagerOptions): void {
  checkNames(options, KNOWN, '');
  checkInteger('numBlocks', options.numBlocks, 2);
  checkInteger('blockSize', options.blockSize, 1);
  if (options.maxTenants !== undefined) checkInteger('maxTenants', options.maxTenants, 1);
  checkShare(options.maxPinnedShare ?? 0);
  if (options.hostTier !== undefined) checkHostTier(options.hostTier, options.enablePrefixCaching ?? true);
  if (options.groups.length === 0) {
    throw new InvalidArgumentError('groups', 'groups is empty: expected one KvGroup for each kind of layer');
  }
  options.groups.forEach((group, index) => {
    checkGroup(group, options.groups[0]!, `groups[${index}]`);
  });
}

function checkNames(options: object, known: readonly string[], prefix: string): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const where = `${prefix}${name}`;
    throw new InvalidArgumentError(where, `unknown option ${where}: expected one of ${known.join(', ')}`);
  }
}

function checkShare(share: number): void {
  if (share >= 0 && share <= 0.9) return;
  throw new InvalidArgumentError('maxPinnedShare', `maxPinnedShare is ${share}: expected a number from 0 to 0.9`);
}

function checkHostTier(hostTier: HostTierOptions, isCaching: boolean): void {
  checkNames(hostTier, ['numBlocks', 'isWorthLoading'], 'hostTier.');
  checkInteger('hostTier.numBlocks', hostTier.numBlocks, 2);
  if (!isCaching) {
    throw new InvalidArgumentError(
      'hostTier',
      'hostTier is given and enablePrefixCaching is false: a tier is found by prefix, so enable it or leave the tier out',
    );
  }
}

function checkGroup(group: KvGroup, first: KvGroup, where: string): void {
  if (group.kind !== 'full' && group.kind !== 'window') {
    throw new InvalidArgumentError(`${where}.kind`, `${where}.kind is ${group.kind}: expected 'full' or 'window'`);
  }
  if (group.kind === 'window') checkInteger(`${where}.window`, group.window, 1);
  else if (group.window !== undefined) {
    throw new InvalidArgumentError(`${where}.window`, `${where}.window is ${group.window} on a full group: remove it`);
  }
  checkInteger(`${where}.bytesPerBlock`, group.bytesPerBlock, 0);
  if (group.bytesPerBlock !== first.bytesPerBlock) {
    throw new InvalidArgumentError(
      `${where}.bytesPerBlock`,
      `${where}.bytesPerBlock is ${group.bytesPerBlock}, groups[0] has ${first.bytesPerBlock}: groups share one pool, so split the layers into groups of equal bytes per block`,
    );
  }
}

function checkInteger(parameter: string, value: unknown, min: number): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > 0x7fffffff) {
    throw new InvalidArgumentError(
      parameter,
      `${parameter} is ${value}: expected an integer from ${min} to 2147483647`,
    );
  }
}
