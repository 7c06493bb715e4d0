import type { Tokenizer } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';

/** Texts below this many characters a token of context are cheap enough to tokenize and see. */
const CHEAP_CHARACTERS_PER_TOKEN = 16;

/**
 * Refuses a text that cannot fit into the context whatever its tokens are, so that the event loop never tokenizes
 * megabytes only to refuse them.
 */
export class PromptBound {
  readonly #tokenizer: Tokenizer;
  readonly #maxModelLen: number;
  /** Of any token; found out at the first long text, O(vocabulary). */
  #maxTokenBytes: number | undefined;

  constructor(tokenizer: Tokenizer, maxModelLen: number) {
    this.#tokenizer = tokenizer;
    this.#maxModelLen = maxModelLen;
  }

  /** @throws {@link RequestError} `ERR_CONTEXT_LENGTH`. */
  check(text: string, parameter: string): void {
    if (text.length <= this.#maxModelLen * CHEAP_CHARACTERS_PER_TOKEN) return;
    this.#maxTokenBytes ??= longestToken(this.#tokenizer);
    const sizeBytes = Buffer.byteLength(text);
    const maxBytes = this.#maxModelLen * this.#maxTokenBytes;
    if (sizeBytes <= maxBytes) return;
    throw new RequestError(
      'ERR_CONTEXT_LENGTH',
      `'${parameter}' has ${sizeBytes} bytes of text, but the model's context of ${this.#maxModelLen} tokens cannot hold more than ${maxBytes}; shorten it`,
      parameter,
    );
  }
}

function longestToken(tokenizer: Tokenizer): number {
  let longest = 1;
  for (let id = 0; id < tokenizer.vocabSize; id++) longest = Math.max(longest, tokenizer.tokenBytes(id).length);
  return longest;
}
