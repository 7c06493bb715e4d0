import type { IncrementalDecoder, Tokenizer } from '@kvasir/interfaces';
import { StopMatcher } from '@kvasir/tokenizer';

/** Text of one sequence as its tokens arrive: decoded, searched for stop strings, held back while undecided. */
export class SequenceText {
  readonly #decoder: IncrementalDecoder;
  readonly #matcher: StopMatcher | undefined;
  readonly #minTokens: number;
  #numTokens = 0;

  /** @param minTokens - Text of the first `minTokens` tokens is not searched. */
  constructor(tokenizer: Tokenizer, stop: readonly string[], minTokens: number) {
    this.#decoder = tokenizer.createDecoder();
    this.#matcher = stop.length === 0 ? undefined : new StopMatcher(stop);
    this.#minTokens = minTokens;
  }

  /** The stop string that ended the text, if one did. */
  stop: string | undefined;

  /** Text that became certain with `tokenId`. After {@link SequenceText.stop} is set there is no more. */
  push(tokenId: number): string {
    this.#numTokens++;
    return this.#search(this.#decoder.push(tokenId));
  }

  /** What is left when the tokens end. */
  flush(): string {
    if (this.stop !== undefined) return '';
    const text = this.#search(this.#decoder.flush());
    return this.stop === undefined ? text + (this.#matcher?.flush() ?? '') : text;
  }

  #search(text: string): string {
    if (this.#matcher === undefined || this.#numTokens <= this.#minTokens) return text;
    const match = this.#matcher.push(text);
    this.stop = match.stop;
    return match.text;
  }
}
