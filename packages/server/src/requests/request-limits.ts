/** What bounds the requests of one server. */
export interface RequestLimits {
  /** Most alternatives of `logprobs`, `top_logprobs` and `prompt_logprobs`. */
  readonly maxLogprobs: number;
  /** Most prompts of one completions request. */
  readonly maxPrompts: number;
  /** Token ids lie in [0, vocabSize). */
  readonly vocabSize: number;
  /** Most choices, `n` and `best_of`, of one prompt. */
  readonly maxChoices: number;
  /** Most entries of `logit_bias`. */
  readonly maxLogitBias: number;
  /** Most stop strings of a request, and most UTF-16 code units of one. */
  readonly maxStopStrings: number;
  readonly maxStopLength: number;
}

/** Most messages of a chat. */
export const MAX_MESSAGES = 4096;
export const MAX_STOP_TOKEN_IDS = 1024;
/** Most bad words of a request, and most UTF-16 code units of one. */
export const MAX_BAD_WORDS = 128;
export const MAX_BAD_WORD_LENGTH = 256;
/** Most UTF-16 code units of a client's chat template. */
export const MAX_TEMPLATE_LENGTH = 1 << 16;
/** Most variables that a client may hand to a template. */
export const MAX_TEMPLATE_KWARGS = 64;
