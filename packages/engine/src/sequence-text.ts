import type { DecodeOptions, GenerateRequest, IncrementalDecoder, Tokenizer } from '@kvasir/interfaces';
import { StopMatcher } from '@kvasir/tokenizer';

/** What becomes of tokens as text. */
export interface SequenceTextOptions extends DecodeOptions {
  readonly stop: readonly string[];
  /** Text of the first `minTokens` tokens is not searched. */
  readonly minTokens: number;
  /** Default `false`. */
  readonly includeStopInOutput?: boolean;
}

/** Text of one sequence as its tokens arrive: decoded, searched for stop strings, held back while undecided. */
export class SequenceText {
  readonly #decoder: IncrementalDecoder;
  readonly #matcher: StopMatcher | undefined;
  readonly #minTokens: number;
  readonly #includesStop: boolean;
  #numTokens = 0;

  constructor(tokenizer: Tokenizer, options: SequenceTextOptions) {
    this.#includesStop = options.includeStopInOutput ?? false;
    this.#decoder = tokenizer.createDecoder(options);
    this.#matcher =
      options.stop.length === 0 ? undefined : new StopMatcher(options.stop, { includeStop: this.#includesStop });
    this.#minTokens = options.minTokens;
  }

  /** The stop string that ended the text, if one did. */
  stop: string | undefined;

  /** Text that became certain with `tokenId`. After {@link SequenceText.stop} is set there is no more. */
  push(tokenId: number): string {
    this.#numTokens++;
    return this.#search(this.#decoder.push(tokenId));
  }

  /** The same for a token that ends the sequence by being what it is: it leaves text only when stops are to be included. */
  pushMarker(tokenId: number): string {
    if (!this.#includesStop) return '';
    const text = (this.#matcher?.flush() ?? '') + this.#decoder.push(tokenId);
    return text + this.#decoder.flush();
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

/** How a request wants its tokens as text. */
export function textOptionsOf(request: GenerateRequest): SequenceTextOptions {
  const { skipSpecialTokens, spacesBetweenSpecialTokens, includeStopInOutput, sampling } = request;
  return {
    stop: sampling.stop,
    minTokens: sampling.minTokens,
    skipSpecialTokens: skipSpecialTokens ?? true,
    spacesBetweenSpecialTokens: spacesBetweenSpecialTokens ?? true,
    includeStopInOutput: includeStopInOutput ?? false,
  };
}
