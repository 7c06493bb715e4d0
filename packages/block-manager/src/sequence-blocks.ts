import type { SequenceId } from '@kvasir/interfaces';
import { GrowableBlockTable } from './growable-block-table.js';
import type { HashChain } from './hash-chain.js';

/**
 * What the manager keeps of one open sequence.
 *
 * ```
 * tokens  [0, numComputed)              keys and values are there; never written again by this sequence
 *         [numComputed, numReserved)    room for steps that are planned or in flight
 * blocks  [0, numPublished)             offered to the prefix index
 *         [0, ceil(numReserved / blockSize))   the tables, all of one length
 * ```
 */
export class SequenceBlocks {
  readonly id: SequenceId;
  /** One a group. */
  readonly tables: readonly GrowableBlockTable[];
  /** `null` when prefix caching is off. */
  readonly chain: HashChain | null;
  /** Index in the tenant ledger. */
  readonly tenant: number;
  numComputed = 0;
  numReserved = 0;
  numPublished = 0;
  /** Holds blocks whose bytes never came: it can only be closed. */
  isSpoilt = false;

  constructor(id: SequenceId, numGroups: number, chain: HashChain | null, tenant = 0) {
    this.id = id;
    const tables: GrowableBlockTable[] = [];
    for (let group = 0; group < numGroups; group++) tables.push(new GrowableBlockTable());
    this.tables = tables;
    this.chain = chain;
    this.tenant = tenant;
  }

  /** Entries of every table. */
  get numBlocks(): number {
    return this.tables[0]!.length;
  }
}
