/** Where a bar is drawn. */
export interface BarStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Takes text as it is; what it returns is not read. */
  write(text: string): unknown;
}

const MIB = 2 ** 20;

/** A download or load that shows how far it is: one line redrawn on a terminal, one line every tenth elsewhere. */
export class ProgressBar {
  readonly #label: string;
  readonly #stream: BarStream;
  readonly #now: () => number;
  #startedAt: number | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #lastTenth = -1;
  #isOpen = false;

  constructor(label: string, stream: BarStream, now: () => number = () => performance.now()) {
    this.#label = label;
    this.#stream = stream;
    this.#now = now;
  }

  /** Shows `done` of `total` bytes; `total` may be unknown. */
  update(done: number, total: number | undefined): void {
    const now = this.#now();
    this.#startedAt ??= now;
    if (this.#stream.isTTY === true) {
      if (now - this.#drawnAt < 80 && done !== total) return;
      this.#drawnAt = now;
      this.#isOpen = true;
      this.#stream.write(`\r\u001b[2K${this.#line(done, total, now - this.#startedAt)}`);
      return;
    }
    const tenth = total === undefined ? Math.floor(done / (32 * MIB)) : Math.floor((10 * done) / total);
    if (tenth > this.#lastTenth) {
      this.#lastTenth = tenth;
      this.#stream.write(`${this.#line(done, total, now - this.#startedAt)}\n`);
    }
  }

  /** Ends the line on a terminal. */
  close(): void {
    if (this.#isOpen) this.#stream.write('\n');
    this.#isOpen = false;
  }

  #line(done: number, total: number | undefined, elapsedMs: number): string {
    const rate = elapsedMs > 200 ? `  ${(done / MIB / (elapsedMs / 1000)).toFixed(1)} MiB/s` : '';
    if (total === undefined) return `${this.#label}  ${(done / MIB).toFixed(1)} MiB${rate}`;
    const fraction = total === 0 ? 1 : Math.min(1, done / total);
    const width = Math.max(10, Math.min(30, (this.#stream.columns ?? 80) - this.#label.length - 40));
    const filled = Math.round(fraction * width);
    const bar = '='.repeat(filled).padEnd(width, ' ');
    const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
    return `${this.#label}  [${bar}] ${percent}  ${(done / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB${rate}`;
  }
}
