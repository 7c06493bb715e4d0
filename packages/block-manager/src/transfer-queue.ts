import { type BlockId, type BlockTransfer, InvalidArgumentError } from '@kvasir/interfaces';

/** Batches that can still fail. A step fails before the third one after it is submitted; the rest is slack. */
const NUM_RECENT = 8;

/** A transfer with its place in the order of all transfers, and the one that its source's content came from (0: none). */
interface PlannedTransfer extends BlockTransfer {
  readonly serial: number;
  readonly dependsOn: number;
}

/**
 * Transfers in the order they were decided, and what hangs on each.
 *
 * `origins[block]` is the serial of the transfer that brought a block its content, 0 for content that was computed. So when
 * a step fails, what its transfers would have produced, directly or through later transfers, is told from all other content.
 */
export class TransferQueue {
  readonly #poolOrigins: Float64Array;
  readonly #hostOrigins: Float64Array;
  #pending: PlannedTransfer[] = [];
  readonly #recent: (readonly PlannedTransfer[])[] = [];
  #lastSerial = 0;

  /** Both arrays are owned by others, who set an entry to 0 when a block is handed out anew. */
  constructor(poolOrigins: Float64Array, hostOrigins: Float64Array) {
    this.#poolOrigins = poolOrigins;
    this.#hostOrigins = hostOrigins;
  }

  push(op: BlockTransfer['op'], group: number, src: BlockId, dst: BlockId): void {
    const serial = ++this.#lastSerial;
    const dependsOn = (op === 'load' ? this.#hostOrigins : this.#poolOrigins)[src]!;
    (op === 'store' ? this.#hostOrigins : this.#poolOrigins)[dst] = serial;
    this.#pending.push({ op, group, src, dst, serial, dependsOn });
  }

  take(): readonly BlockTransfer[] {
    if (this.#pending.length === 0) return NO_TRANSFERS;
    const taken = this.#pending;
    this.#pending = [];
    this.#recent.push(taken);
    if (this.#recent.length > NUM_RECENT) this.#recent.shift();
    return taken;
  }

  /** Serials of `failed` and of later transfers that read what those would have written. */
  spoiltBy(failed: readonly BlockTransfer[]): ReadonlySet<number> {
    const spoilt = new Set<number>();
    if (failed.length === 0) return spoilt;
    const at = this.#recent.indexOf(failed as readonly PlannedTransfer[]);
    if (at < 0) {
      throw new InvalidArgumentError(
        'transfers',
        `transfers are not what one of the last ${NUM_RECENT} calls of takeTransfers() returned, or are abandoned already: pass that very array, once`,
      );
    }
    for (const { serial } of failed as readonly PlannedTransfer[]) spoilt.add(serial);
    for (const batch of [...this.#recent.slice(at + 1), this.#pending]) {
      for (const { serial, dependsOn } of batch) if (spoilt.has(dependsOn)) spoilt.add(serial);
    }
    this.#recent.splice(at, 1);
    return spoilt;
  }
}

const NO_TRANSFERS: readonly BlockTransfer[] = Object.freeze([]);
