import type { Tokenizer } from '@kvasir/interfaces';

/** Special tokens that stand around every text. */
interface Frame {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

/** Turns texts into the sequences that an encoder was trained on, special tokens around them, cut where they are too long. */
export class InputTokenizer {
  readonly #tokenizer: Tokenizer;
  #frame: Frame | undefined;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * Token ids of a text.
   * @param maxTokens - A longer text loses tokens at its end; the special tokens after it stay. Default: nothing is cut.
   */
  encode(text: string, maxTokens = Number.POSITIVE_INFINITY): Int32Array {
    const ids = this.#tokenizer.encode(text);
    if (ids.length <= maxTokens) return ids;
    this.#frame ??= findFrame(this.#tokenizer);
    const { before, after } = this.#frame;
    const numKept = Math.max(0, maxTokens - after.length);
    const cut = new Int32Array(maxTokens);
    cut.set(ids.subarray(0, numKept));
    cut.set(after.subarray(0, maxTokens - numKept), numKept);
    // Less than the special tokens themselves: their first ones.
    if (numKept < before.length) cut.set([...before, ...after].slice(0, maxTokens));
    return cut;
  }
}

/** What an encoding has before and after the tokens of the text itself. */
function findFrame(tokenizer: Tokenizer): Frame {
  const plain = tokenizer.encode('a', { addSpecialTokens: false });
  const framed = tokenizer.encode('a');
  const numSpecial = framed.length - plain.length;
  let numBefore = 0;
  while (numBefore < numSpecial && !plain.every((id, i) => framed[numBefore + i] === id)) numBefore++;
  return { before: framed.slice(0, numBefore), after: framed.slice(numBefore + plain.length) };
}
