import { KvasirError, type KvasirErrorOptions } from '@kvasir/interfaces';

/** A GGUF vocabulary names a pre-tokenizer whose splitting rules are not known; guessing would silently degrade output. */
export class UnknownPreTokenizerError extends KvasirError {
  readonly preTokenizer: string;
  readonly supported: readonly string[];

  constructor(preTokenizer: string, supported: readonly string[]) {
    super(
      'ERR_UNKNOWN_PRE_TOKENIZER',
      `pre-tokenizer '${preTokenizer}' is not known; supported: ${supported.join(', ')}. ` +
        `Use the model's tokenizer.json, or a GGUF file whose tokenizer.ggml.pre is one of these`,
    );
    this.preTokenizer = preTokenizer;
    this.supported = supported;
  }
}

/** A vocabulary contradicts itself; `tokenId` or `rule` says where, when one place is to blame. */
export class InvalidVocabularyError extends KvasirError {
  readonly tokenId: number | undefined;
  readonly rule: number | undefined;

  constructor(message: string, place: { readonly tokenId?: number; readonly rule?: number } = {}) {
    super('ERR_INVALID_VOCABULARY', message);
    this.tokenId = place.tokenId;
    this.rule = place.rule;
  }
}

/** A token id outside `[0, vocabSize)`. */
export class TokenIdOutOfRangeError extends KvasirError {
  readonly tokenId: number;
  readonly vocabSize: number;

  constructor(tokenId: number, vocabSize: number) {
    super('ERR_TOKEN_ID_OUT_OF_RANGE', `token id ${tokenId} is not an integer in [0, ${vocabSize})`);
    this.tokenId = tokenId;
    this.vocabSize = vocabSize;
  }
}

/** A chat template was not done in time: it is slow, or this process got no processor. The same messages may pass another time. */
export class ChatTemplateTimeoutError extends KvasirError {
  constructor(timeoutMs: number, options: KvasirErrorOptions = {}) {
    super(
      'ERR_CHAT_TEMPLATE_TIMEOUT',
      `the chat template was not done after ${timeoutMs} ms, the most that it may take: send the request again when the machine is less busy, or a simpler template`,
      options,
    );
  }
}

/** A chat template could not be compiled, refused the messages, or broke a limit. */
export class ChatTemplateError extends KvasirError {
  constructor(message: string, options: KvasirErrorOptions = {}) {
    super('ERR_CHAT_TEMPLATE', message, options);
  }
}
