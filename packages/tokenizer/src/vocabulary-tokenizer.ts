import type {
  DecodeOptions,
  EncodeOptions,
  GgufBpeTokenizerSource,
  GgufSpmTokenizerSource,
  IncrementalDecoder,
  SpecialToken,
  Tokenizer,
} from '@kvasir/interfaces';
import { ByteLevelEncoder } from './byte-level-encoder.js';
import { InvalidVocabularyError } from './errors.js';
import { IdBuffer } from './id-buffer.js';
import { SentencePieceEncoder } from './sentencepiece-encoder.js';
import { SpecialTokens } from './special-tokens.js';
import type { TextEncoder } from './text-encoder.js';
import { TokenTable } from './token-table.js';
import { decodeUtf8, writeUtf8 } from './utf8.js';
import { TokenType, Vocabulary } from './vocabulary.js';

/** A {@link Tokenizer} built from a GGUF vocabulary, without native code. */
export class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly #vocabulary: Vocabulary;
  readonly #specialTokens: SpecialTokens;
  readonly #table: TokenTable;
  readonly #encoder: TextEncoder;
  readonly #addBos: boolean;
  readonly #addEos: boolean;

  constructor(source: GgufBpeTokenizerSource | GgufSpmTokenizerSource) {
    checkIds(source);
    this.vocabSize = source.vocabSize;
    this.bosTokenId = source.bosTokenId;
    this.eosTokenId = source.eosTokenId;
    this.#addBos = source.addBos;
    this.#addEos = source.addEos;
    const isByteLevel = source.kind === 'gguf-bpe';
    this.#vocabulary = new Vocabulary(source.tokens, source.tokenTypes, isByteLevel ? 'byte-level' : 'sentencepiece');
    this.#encoder = isByteLevel
      ? new ByteLevelEncoder(source, this.#vocabulary)
      : new SentencePieceEncoder(source, this.#vocabulary);
    const parsed: SpecialToken[] = [];
    const specialIds: number[] = [];
    for (let id = 0; id < source.tokens.length; id++) {
      const type = source.tokenTypes[id];
      const isEnd = id === source.bosTokenId || id === source.eosTokenId;
      const isSpecial = isEnd || type === TokenType.control || type === TokenType.unknown;
      if (isSpecial) specialIds.push(id);
      if (isSpecial || type === TokenType.userDefined) parsed.push({ id, content: source.tokens[id]! });
    }
    this.#specialTokens = new SpecialTokens(parsed);
    this.#table = new TokenTable({
      vocabSize: source.vocabSize,
      arena: this.#vocabulary.arena,
      offsets: this.#vocabulary.offsets,
      specialIds,
      stripsLeadingSpace: source.kind === 'gguf-spm' && source.addSpacePrefix,
    });
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const addSpecialTokens = options.addSpecialTokens ?? true;
    const ids = new IdBuffer(16 + (text.length >> 1));
    if (addSpecialTokens && this.#addBos) ids.push(this.bosTokenId!);
    this.#specialTokens.split(
      text,
      (start, end) => this.#encoder.encode(text.slice(start, end), ids),
      (id) => ids.push(id),
    );
    if (addSpecialTokens && this.#addEos) ids.push(this.eosTokenId!);
    return ids.slice();
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
    const special = this.#specialTokens.idOf(content);
    if (special !== undefined || content.length === 0) return special;
    const bytes = new Uint8Array(content.length * 3);
    const id = this.#vocabulary.findBytes(bytes.subarray(0, writeUtf8(content, 0, content.length, bytes, 0)));
    return id < 0 ? undefined : id;
  }

  /** Checks the vocabulary's tables. O(vocabulary). */
  checkIntegrity(): void {
    this.#vocabulary.checkIntegrity();
  }
}

function checkIds(source: GgufBpeTokenizerSource | GgufSpmTokenizerSource): void {
  const numTokens = source.tokens.length;
  if (source.vocabSize < numTokens) {
    throw new InvalidVocabularyError(
      `vocabSize is ${source.vocabSize}, expected at least the number of tokens, ${numTokens}`,
    );
  }
  for (const name of ['bosTokenId', 'eosTokenId', 'unknownTokenId', 'paddingTokenId'] as const) {
    const id = source[name];
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < numTokens)) {
      throw new InvalidVocabularyError(`${name} is ${id}, expected an integer in [0, ${numTokens})`, { tokenId: id });
    }
  }
  if (source.addBos && source.bosTokenId === undefined) {
    throw new InvalidVocabularyError('addBos is set, but there is no bosTokenId; set one, or addBos to false');
  }
  if (source.addEos && source.eosTokenId === undefined) {
    throw new InvalidVocabularyError('addEos is set, but there is no eosTokenId; set one, or addEos to false');
  }
}
