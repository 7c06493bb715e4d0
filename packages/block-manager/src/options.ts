import { InvalidArgumentError, type KvGroup } from '@kvasir/interfaces';

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
}

/** Default of {@link KvCacheManagerOptions.maxTenants}. */
export const DEFAULT_MAX_TENANTS = 1_000;

const KNOWN = ['numBlocks', 'blockSize', 'groups', 'enablePrefixCaching', 'hashSeed', 'maxTenants'];

/** @throws `InvalidArgumentError` naming the first option that cannot be used. */
export function checkOptions(options: KvCacheManagerOptions): void {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw new InvalidArgumentError(name, `unknown option ${name}: expected one of ${KNOWN.join(', ')}`);
    }
  }
  checkInteger('numBlocks', options.numBlocks, 2);
  checkInteger('blockSize', options.blockSize, 1);
  if (options.maxTenants !== undefined) checkInteger('maxTenants', options.maxTenants, 1);
  if (options.groups.length === 0) {
    throw new InvalidArgumentError('groups', 'groups is empty: expected one KvGroup for each kind of layer');
  }
  options.groups.forEach((group, index) => {
    checkGroup(group, options.groups[0]!, `groups[${index}]`);
  });
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
