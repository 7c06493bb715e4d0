import { createInterface, type Interface } from 'node:readline';
import type { CommandContext } from '../command.js';

/** What a person did instead of an answer to a prompt. */
export const INTERRUPTED = Symbol('interrupted');
/** The input is over. */
export const ENDED = Symbol('ended');

/** Where questions come from. */
export interface LineSource {
  /** The next line, without its newline. */
  next(prompt: string): Promise<string | typeof INTERRUPTED | typeof ENDED>;
  /** Ends a `next` that waits with {@link INTERRUPTED}: a signal came. */
  interrupt(): void;
  close(): void;
}

/** A person at a terminal (with editing and history), or the lines of a pipe (without prompts). */
export function createLineSource(context: CommandContext): LineSource {
  return context.stdin.isTTY === true && context.stdout.isTTY === true
    ? new TerminalLines(context)
    : new PipedLines(context);
}

/** One readline interface a line: while an answer is written the terminal is its own, so that Ctrl-C is a signal there. */
class TerminalLines implements LineSource {
  readonly #context: CommandContext;
  #history: string[] = [];
  /** Lines that came together with the one before. */
  readonly #pasted: string[] = [];
  #unfinished = '';
  #open: Interface | undefined;
  #interrupt: () => void = () => {};

  constructor(context: CommandContext) {
    this.#context = context;
  }

  next(prompt: string): Promise<string | typeof INTERRUPTED | typeof ENDED> {
    const pasted = this.#pasted.shift();
    if (pasted !== undefined) return Promise.resolve(pasted);
    const lines = createInterface({
      input: this.#context.stdin,
      output: this.#context.stdout as unknown as NodeJS.WritableStream,
      terminal: true,
      history: [...this.#history],
      prompt,
    });
    this.#open = lines;
    return new Promise((resolve) => {
      const end = (result: string | typeof INTERRUPTED | typeof ENDED) => {
        this.#interrupt = () => {};
        resolve(result);
        lines.close();
      };
      this.#interrupt = () => end(INTERRUPTED);
      let isFirst = true;
      lines.on('line', (line) => {
        if (!isFirst) this.#pasted.push(line);
        // What was pasted with it arrives in the same turn of the event loop.
        else
          setImmediate(() => {
            this.#unfinished = lines.line;
            end(line);
          });
        isFirst = false;
      });
      lines.on('history', (history) => {
        this.#history = [...history];
      });
      lines.on('SIGINT', () => end(INTERRUPTED));
      lines.on('close', () => {
        if (isFirst) resolve(ENDED);
      });
      lines.prompt();
      if (this.#unfinished !== '') lines.write(this.#unfinished);
      this.#unfinished = '';
    });
  }

  interrupt(): void {
    this.#interrupt();
  }

  close(): void {
    this.#open?.close();
  }
}

class PipedLines implements LineSource {
  readonly #lines: Interface;
  readonly #iterator: AsyncIterator<string>;
  #pending: Promise<string | typeof ENDED> | undefined;
  #interrupt: () => void = () => {};

  constructor({ stdin }: CommandContext) {
    this.#lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
    this.#iterator = this.#lines[Symbol.asyncIterator]();
  }

  async next(): Promise<string | typeof INTERRUPTED | typeof ENDED> {
    // A line that an interrupt has left unread is read by the next call.
    this.#pending ??= this.#iterator.next().then(({ done, value }) => (done === true ? ENDED : value));
    const interrupted = new Promise<typeof INTERRUPTED>((resolve) => {
      this.#interrupt = () => resolve(INTERRUPTED);
    });
    const result = await Promise.race([this.#pending, interrupted]);
    if (result !== INTERRUPTED) this.#pending = undefined;
    return result;
  }

  interrupt(): void {
    this.#interrupt();
  }

  close(): void {
    this.#lines.close();
  }
}
