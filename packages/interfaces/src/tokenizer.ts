/** A special token and its id. */
export interface SpecialToken {
  readonly id: number;
  readonly content: string;
}

/**
 * What a checkpoint says about its vocabulary. `model` reads it from a file, `tokenizer` builds from it.
 */
export type TokenizerSource = HuggingFaceTokenizerSource | GgufBpeTokenizerSource | GgufSpmTokenizerSource;

/** A `tokenizer.json` (and its `tokenizer_config.json`), named by path so that it is read only once, natively. */
export interface HuggingFaceTokenizerSource extends TokenizerSourceCommon {
  readonly kind: 'huggingface';
  /** Path of `tokenizer.json`. */
  readonly tokenizerJsonPath: string;
}

/** GGUF `tokenizer.ggml.model = "gpt2"`: byte-level BPE. */
export interface GgufBpeTokenizerSource extends TokenizerSourceCommon {
  readonly kind: 'gguf-bpe';
  /** `tokenizer.ggml.pre`, for example `smollm` or `llama-bpe`. */
  readonly preTokenizer: string;
  readonly tokens: readonly string[];
  /** GGUF token types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly tokenTypes: Int32Array;
  /** Merge rules `"left right"`, best first. */
  readonly merges: readonly string[];
}

/** GGUF `tokenizer.ggml.model = "llama"`: SentencePiece BPE by score. */
export interface GgufSpmTokenizerSource extends TokenizerSourceCommon {
  readonly kind: 'gguf-spm';
  readonly tokens: readonly string[];
  readonly scores: Float32Array;
  readonly tokenTypes: Int32Array;
  readonly addSpacePrefix: boolean;
}

/** What every {@link TokenizerSource} carries. */
export interface TokenizerSourceCommon {
  readonly vocabSize: number;
  readonly bosTokenId?: number;
  readonly eosTokenId?: number;
  readonly unknownTokenId?: number;
  readonly paddingTokenId?: number;
  /** Whether plain text is prefixed with BOS, or followed by EOS, when special tokens are asked for. */
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Jinja source of the default chat template. */
  readonly chatTemplate?: string;
  /** Further templates by name (`tool_use`, ...). */
  readonly namedChatTemplates?: Readonly<Record<string, string>>;
}

/** How {@link Tokenizer.encode} treats special tokens. */
export interface EncodeOptions {
  /** Add BOS/EOS as the model's own settings say. Default `true`. */
  readonly addSpecialTokens?: boolean;
}

/** How {@link Tokenizer.decode} treats special tokens. */
export interface DecodeOptions {
  /** Leave out control tokens. Default `true`. */
  readonly skipSpecialTokens?: boolean;
  /**
   * With `skipSpecialTokens` off, keep the spaces that a vocabulary's decoder puts between two special tokens. Default `true`.
   * Vocabularies whose decoders put none (byte-level BPE, SentencePiece) give the same text either way.
   */
  readonly spacesBetweenSpecialTokens?: boolean;
}

/** Text to token ids and back. Special-token text inside the input is parsed to its id, as Hugging Face does. */
export interface Tokenizer {
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  /** Ids of a text; special tokens inside it are parsed. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** Text of ids; ill-formed bytes become U+FFFD. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Text of one token as it stands in the vocabulary's byte sequence; lone UTF-8 fragments decode to U+FFFD. */
  tokenText(id: number): string;
  /** Raw bytes of one token (a byte-level BPE token may be part of a character). */
  tokenBytes(id: number): Uint8Array;
  /** True for control tokens, which {@link DecodeOptions.skipSpecialTokens} leaves out. */
  isSpecial(id: number): boolean;
  /** Id of an exact token text, special or not. */
  tokenId(content: string): number | undefined;
  /** A decoder for one stream of ids; it never emits half a character. */
  createDecoder(options?: DecodeOptions): IncrementalDecoder;
  /** Ends threads that it holds, after which it encodes no more; absent where there is nothing to end. */
  close?(): Promise<void>;
}

/** Decodes one sequence of ids piece by piece; the concatenated pieces equal `decode` of all ids. */
export interface IncrementalDecoder {
  /** Text that became certain with `id`; `''` while a character is incomplete. */
  push(id: number): string;
  /** What is left (an incomplete character becomes U+FFFD). The decoder is spent afterwards. */
  flush(): string;
}

/** One message of a chat, as templates see it. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
}

/** Renders messages to the prompt text of a model. */
export interface ChatTemplate {
  /**
   * @throws {@link KvasirError} `ERR_CHAT_TEMPLATE` If the template refuses the messages (its own `raise_exception` text is passed on) or breaks its limits; `ERR_CHAT_TEMPLATE_TIMEOUT` if it is not done in time.
   */
  render(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string;
}

/** Options of {@link ChatTemplate.render}. */
export interface ChatTemplateOptions {
  /** Append the header that makes the model answer. Default `true`. */
  readonly addGenerationPrompt?: boolean;
  /** Further variables: JSON values. Names that a template gets from elsewhere (`messages`, `bos_token`, `range`, ...) are refused. */
  readonly variables?: Readonly<Record<string, unknown>>;
}
