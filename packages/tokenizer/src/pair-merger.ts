/** What may be merged: rules by pair, with a priority and a result. */
export interface MergeRules {
  /**
   * Rule that joins two neighbouring symbols, or -1. `left` and `right` are token ids (-1: not in the vocabulary),
   * `[start, end)` the bytes that both cover.
   */
  find(left: number, right: number, start: number, end: number): number;
  /** Smaller goes first; among equals the leftmost. */
  priorityOf(rule: number): number;
  /** Token id of the joined symbol. */
  resultOf(rule: number): number;
}

const KEPT_SYMBOLS = 1 << 14;

/**
 * Merges a row of symbols pair by pair, best priority first, until no rule applies: O(n log n) by a heap over a linked list.
 *
 * A heap entry is (priority, position of the left symbol). It is stale when the pair that now starts there has another
 * rule; `rules[position]` holds the current one, so that no entry is ever removed early.
 */
export class PairMerger {
  /** Token id of symbol i before a run; the caller fills `[0, numSymbols)`. */
  ids = new Int32Array(256);
  /** First byte of symbol i; the caller fills `[0, numSymbols]`, the last one with the byte count. */
  starts = new Int32Array(257);
  #next = new Int32Array(257);
  #previous = new Int32Array(257);
  #rules = new Int32Array(257);
  #heapKeys = new Float64Array(1024);
  #heapPositions = new Int32Array(1024);
  #heapSize = 0;

  /** Makes room for `numSymbols` symbols in {@link ids} and {@link starts}. */
  reserve(numSymbols: number): void {
    const capacity = this.ids.length;
    if (numSymbols <= capacity && (capacity <= KEPT_SYMBOLS || numSymbols > KEPT_SYMBOLS)) return;
    const size = Math.max(256, numSymbols);
    this.ids = new Int32Array(size);
    this.starts = new Int32Array(size + 1);
    this.#next = new Int32Array(size + 1);
    this.#previous = new Int32Array(size + 1);
    this.#rules = new Int32Array(size + 1);
    this.#heapKeys = new Float64Array(size * 4);
    this.#heapPositions = new Int32Array(size * 4);
  }

  /**
   * Merges symbols `[0, numSymbols)` and packs the surviving ids and starts to the front.
   * @returns The number of symbols left.
   */
  run(numSymbols: number, rules: MergeRules): number {
    const { ids, starts } = this;
    const next = this.#next;
    const previous = this.#previous;
    const current = this.#rules;
    this.#heapSize = 0;
    for (let i = 0; i < numSymbols; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    current[numSymbols - 1] = -1;
    for (let i = 0; i + 1 < numSymbols; i++) this.#consider(i, i + 1, starts[i + 2]!, rules);
    while (this.#heapSize > 0) {
      const left = this.#heapPositions[0]!;
      const rule = current[left]!;
      const isStale = rule < 0 || rules.priorityOf(rule) !== this.#heapKeys[0];
      this.#pop();
      if (isStale) continue;
      const right = next[left]!;
      const after = next[right]!;
      ids[left] = rules.resultOf(rule);
      next[left] = after;
      current[right] = -1;
      if (after < numSymbols) {
        previous[after] = left;
        this.#consider(left, after, starts[next[after]!]!, rules);
      } else {
        current[left] = -1;
      }
      const before = previous[left]!;
      if (before >= 0) this.#consider(before, left, starts[after]!, rules);
    }
    let count = 0;
    for (let i = 0; i < numSymbols; i = next[i]!) {
      ids[count] = ids[i]!;
      starts[count++] = starts[i]!;
    }
    starts[count] = starts[numSymbols]!;
    return count;
  }

  #consider(left: number, right: number, end: number, rules: MergeRules): void {
    const rule = rules.find(this.ids[left]!, this.ids[right]!, this.starts[left]!, end);
    this.#rules[left] = rule;
    if (rule >= 0) this.#push(rules.priorityOf(rule), left);
  }

  #push(key: number, position: number): void {
    const keys = this.#heapKeys;
    const positions = this.#heapPositions;
    let at = this.#heapSize++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! < key || (keys[parent] === key && positions[parent]! < position)) break;
      keys[at] = keys[parent]!;
      positions[at] = positions[parent]!;
      at = parent;
    }
    keys[at] = key;
    positions[at] = position;
  }

  #pop(): void {
    const keys = this.#heapKeys;
    const positions = this.#heapPositions;
    const size = --this.#heapSize;
    const key = keys[size]!;
    const position = positions[size]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size &&
        (keys[right]! < keys[child]! || (keys[right] === keys[child] && positions[right]! < positions[child]!))
      )
        child = right;
      if (key < keys[child]! || (key === keys[child] && position < positions[child]!)) break;
      keys[at] = keys[child]!;
      positions[at] = positions[child]!;
      at = child;
    }
    keys[at] = key;
    positions[at] = position;
  }
}
