import type { PolicyView } from './policies/policy.js';

/** A sorted list that is cheap at both ends: leaving from the front and joining at the back take O(1), the rest a search and a move. */
export class SortedQueue<T extends PolicyView> {
  readonly #compare: (a: PolicyView, b: PolicyView) => number;
  /** Members in `[head, length)`, nothing before. */
  readonly #items: (T | undefined)[] = [];
  #head = 0;

  constructor(compare: (a: PolicyView, b: PolicyView) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  at(index: number): T {
    return this.#items[this.#head + index] as T;
  }

  add(item: T): void {
    const items = this.#items;
    if (this.size === 0 || this.#compare(items[items.length - 1] as T, item) < 0) {
      items.push(item);
      return;
    }
    const at = this.#search(item);
    if (at === this.#head && this.#head > 0) items[--this.#head] = item;
    else items.splice(at, 0, item);
  }

  /** @returns Its index, or -1. */
  indexOf(item: T): number {
    const at = this.#search(item);
    return this.#items[at] === item ? at - this.#head : -1;
  }

  removeAt(index: number): void {
    const items = this.#items;
    if (index > 0) {
      items.splice(this.#head + index, 1);
      return;
    }
    items[this.#head++] = undefined;
    if (this.size === 0 || this.#head >= 64 + this.size) {
      items.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** First place at or after the head whose item does not go before `item`. */
  #search(item: T): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#items[middle] as T, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
