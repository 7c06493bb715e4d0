import type {
  DecodeOptions,
  EncodeOptions,
  HuggingFaceTokenizerSource,
  IncrementalDecoder,
  Tokenizer,
} from '@kvasir/interfaces';
import { InvalidVocabularyError } from './errors.js';
import { decodeVocabulary } from './hugging-face-decoder.js';
import { type HuggingFaceVocabulary, HuggingFaceWorker } from './hugging-face-worker.js';
import { TokenTable } from './token-table.js';
import { decodeUtf8 } from './utf8.js';

/** Loads a `tokenizer.json` with Hugging Face `tokenizers`. */
export async function loadHuggingFaceTokenizer(source: HuggingFaceTokenizerSource): Promise<Tokenizer> {
  const worker = new HuggingFaceWorker(source.tokenizerJsonPath);
  try {
    const vocabulary = await worker.load();
    if (source.vocabSize < vocabulary.tokens.length) {
      throw new InvalidVocabularyError(
        `vocabSize is ${source.vocabSize}, expected at least ${vocabulary.tokens.length}, the number of tokens of ${source.tokenizerJsonPath}`,
      );
    }
    return new HuggingFaceTokenizer(source, worker, vocabulary);
  } catch (error) {
    await worker.close();
    throw error;
  }
}

/**
 * A {@link Tokenizer} over a `tokenizer.json`. Its post-processor adds special tokens; BOS and EOS that the source asks for
 * are added only where the post-processor does not already put them.
 */
class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly #worker: HuggingFaceWorker;
  readonly #table: TokenTable;
  readonly #numTokens: number;
  readonly #specialIds = new Map<string, number>();
  readonly #prefix: readonly number[];
  readonly #suffix: readonly number[];
  #idsByText: Map<string, number> | undefined;

  constructor(source: HuggingFaceTokenizerSource, worker: HuggingFaceWorker, vocabulary: HuggingFaceVocabulary) {
    this.vocabSize = source.vocabSize;
    this.bosTokenId = source.bosTokenId;
    this.eosTokenId = source.eosTokenId;
    this.#worker = worker;
    this.#numTokens = vocabulary.tokens.length;
    for (const { id, content } of vocabulary.addedTokens) this.#specialIds.set(content, id);
    const specialIds = vocabulary.addedTokens.filter(({ special }) => special).map(({ id }) => id);
    this.#table = new TokenTable({ vocabSize: source.vocabSize, specialIds, ...decodeVocabulary(vocabulary) });
    const around = worker.encode('', true);
    this.#prefix = source.addBos && around[0] !== required(source, 'bosTokenId') ? [source.bosTokenId!] : [];
    this.#suffix = source.addEos && around.at(-1) !== required(source, 'eosTokenId') ? [source.eosTokenId!] : [];
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const addSpecialTokens = options.addSpecialTokens ?? true;
    const ids = this.#worker.encode(text, addSpecialTokens);
    if (!addSpecialTokens || this.#prefix.length + this.#suffix.length === 0) return ids;
    const all = new Int32Array(this.#prefix.length + ids.length + this.#suffix.length);
    all.set(this.#prefix);
    all.set(ids, this.#prefix.length);
    all.set(this.#suffix, this.#prefix.length + ids.length);
    return all;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    return this.#table.decode(ids, options);
  }

  createDecoder(options: DecodeOptions = {}): IncrementalDecoder {
    return this.#table.createDecoder(options);
  }

  tokenText(id: number): string {
    return decodeUtf8(this.#table.tokenBytes(id));
  }

  tokenBytes(id: number): Uint8Array {
    return this.#table.tokenBytes(id);
  }

  isSpecial(id: number): boolean {
    return this.#table.isSpecial(id);
  }

  tokenId(content: string): number | undefined {
    return this.#specialIds.get(content) ?? this.#textIndex().get(content);
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  #textIndex(): ReadonlyMap<string, number> {
    if (this.#idsByText === undefined) {
      this.#idsByText = new Map();
      for (let id = this.#numTokens - 1; id >= 0; id--) this.#idsByText.set(this.tokenText(id), id);
      this.#idsByText.delete('');
    }
    return this.#idsByText;
  }
}

function required(source: HuggingFaceTokenizerSource, name: 'bosTokenId' | 'eosTokenId'): number {
  const id = source[name];
  if (id === undefined) throw new InvalidVocabularyError(`${name} is missing, but it is to be added to text`);
  return id;
}
