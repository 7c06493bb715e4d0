import { InvariantError, type SlotId } from '@kvasir/interfaces';

/** Native slots `0 .. size - 1`: handed out here, and reported once when they are given up. */
export class Slots {
  readonly size: number;
  /** Free slots in `[0, numFree)`, the next one last. */
  readonly #free: Int32Array;
  readonly #isFree: Uint8Array;
  #numFree: number;
  readonly #released: SlotId[] = [];

  constructor(size: number) {
    this.size = size;
    this.#numFree = size;
    this.#free = Int32Array.from({ length: size }, (_, i) => size - 1 - i);
    this.#isFree = new Uint8Array(size).fill(1);
  }

  get numFree(): number {
    return this.#numFree;
  }

  /** The caller has made sure that one is free. */
  take(): SlotId {
    if (this.#numFree === 0) throw new InvariantError('no slot is free', { size: this.size });
    const slot = this.#free[--this.#numFree] as SlotId;
    this.#isFree[slot] = 0;
    return slot;
  }

  /** @param wasStarted - Whether the backend knows of it: only then it is told. */
  release(slot: SlotId, wasStarted: boolean): void {
    if (this.#isFree[slot] !== 0) throw new InvariantError('slot is released but not taken', { slot, size: this.size });
    this.#isFree[slot] = 1;
    this.#free[this.#numFree++] = slot;
    if (wasStarted) this.#released.push(slot);
  }

  /** Moves the slots released since the last call into `target`. */
  moveReleased(target: SlotId[]): void {
    target.length = 0;
    for (const slot of this.#released) target.push(slot);
    this.#released.length = 0;
  }
}
