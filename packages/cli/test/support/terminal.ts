import { PassThrough } from 'node:stream';

/** A terminal to type on. Readline reads it as it reads one. */
export class FakeKeyboard extends PassThrough {
  readonly isTTY = true;
}

/** A terminal to look at: what was written, escape codes included. */
export class FakeScreen extends PassThrough {
  readonly isTTY = true;
  readonly columns = 100;
  text = '';
  readonly #listeners = new Set<() => void>();

  constructor() {
    super();
    this.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      for (const listener of this.#listeners) listener();
      this.#listeners.clear();
    });
  }

  /** Waits until `pattern` matches what was written after the last match. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text.slice(this.#seen));
      if (match !== null) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      await new Promise<void>((resolve) => this.#listeners.add(resolve));
    }
  }
  #seen = 0;
}
