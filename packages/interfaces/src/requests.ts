/** How tokens are chosen. Every field is checked and has its final value; choices of defaults are made before. */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** (0, 1]; 1 is off. Applied after `topK`. */
  readonly topP: number;
  /** 0 is off. */
  readonly topK: number;
  /** [0, 1]; tokens less likely than `minP` times the likeliest are left out; 0 is off. Applied before `topK`. */
  readonly minP: number;
  /**
   * (0, 1]; the tokens whose surprise is nearest to the expected one, until their probability reaches this; 1 is off. Applied after `topP`.
   * Source: Meister et al., "Locally typical sampling" (TACL 2023), as in text-generation-inference.
   */
  readonly typicalP: number;
  /** Above 0; logits of tokens that the prompt or the output holds are divided by it where positive, multiplied where negative; 1 is off. */
  readonly repetitionPenalty: number;
  /** [-2, 2]; taken once from the logit of each token that the output holds; 0 is off. */
  readonly presencePenalty: number;
  /** [-2, 2]; taken from the logit of a token once for each time that the output holds it; 0 is off. */
  readonly frequencyPenalty: number;
  /** Added to the logits of these tokens, in [-100, 100]; at most {@link SAMPLING_LIMITS}`.logitBias` of them. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Nothing else is possible; `undefined` allows everything. Not empty. */
  readonly allowedTokenIds: readonly number[] | undefined;
  /**
   * Token sequences that the output must not hold: the last token of each is impossible where the output ends with the others.
   * None is empty; at most {@link SAMPLING_LIMITS}`.badWordTokens` tokens in all, one more counted for each sequence.
   */
  readonly badWords: readonly (readonly number[])[];
  /** 64-bit unsigned. The same seed gives the same tokens, whatever else runs. */
  readonly seed: bigint;
  readonly maxTokens: number;
  /** EOS and stop tokens are impossible before this many output tokens. */
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly stopTokenIds: readonly number[];
  readonly ignoreEos: boolean;
  /** Alternatives reported for each output token; `undefined` reports none, 0 the chosen token only. */
  readonly logprobs: number | undefined;
  /** The same for prompt tokens. */
  readonly promptLogprobs: number | undefined;
}

/** What one request may carry at most, so that a session can plan its memory. */
export const SAMPLING_LIMITS = { logitBias: 2048, badWordTokens: 8192 } as const;

/** A request that has passed every check. */
export interface GenerateRequest {
  readonly requestId: string;
  readonly promptTokenIds: Int32Array;
  readonly sampling: SamplingParams;
  /** Keeps cached prefixes apart between tenants. */
  readonly cacheSalt?: string;
  /** Smaller runs first under the priority policy. */
  readonly priority?: number;
  /** Who asks, for shares and statistics; content is kept apart by `cacheSalt`. */
  readonly tenant?: string;
  /** Choices to generate. Choice `i` is what a request of its own with seed `choiceSeed(seed, i)` would get. Default 1. */
  readonly n?: number;
  /** Choices generated, at least `n`; the `n` with the highest log-probability a token are returned, best first. Default `n`. */
  readonly bestOf?: number;
  /** Beam search instead of sampling; the `n` best beams are returned, best first. */
  readonly beam?: BeamParams;
  /** Milliseconds from its arrival after which the request is ended with an error. */
  readonly timeoutMs?: number;
  /** Leave the stop string, or the text of the stop token, at the end of the text. Default `false`. */
  readonly includeStopInOutput?: boolean;
  /** Leave special tokens out of the text. Default `true`. */
  readonly skipSpecialTokens?: boolean;
  /** See `DecodeOptions`. Default `true`. */
  readonly spacesBetweenSpecialTokens?: boolean;
}

/** Beam search as vLLM defines it: each step keeps the `width` best of the `2 * width` likeliest continuations of every beam. */
export interface BeamParams {
  readonly width: number;
  /** A beam scores `cumulativeLogprob / length ** lengthPenalty`, its length counting prompt and output but no EOS. */
  readonly lengthPenalty: number;
  /** `true` ends the search with the `width`-th finished beam; `false` when no running beam can be among the best any more. */
  readonly earlyStopping: boolean;
}

/** Why a request ended. */
export type FinishReason = 'stop' | 'length' | 'abort' | 'error';

/** Log-probability of one token at one position, natural log. */
export interface TokenLogprob {
  readonly tokenId: number;
  readonly logprob: number;
  /** 1 is the most likely. */
  readonly rank: number;
}

/** The token at a position and its alternatives, best first. */
export interface PositionLogprobs {
  readonly chosen: TokenLogprob;
  readonly top: readonly TokenLogprob[];
}

/** What one choice of a request gained since its last delta. Each choice has a last delta of its own. */
export interface OutputDelta {
  readonly requestId: string;
  /** Choice, counted from 0. */
  readonly index: number;
  /** Text that became certain; `''` while a character or a stop string is undecided. */
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** One entry a token of `tokenIds`, when asked for. */
  readonly logprobs?: readonly PositionLogprobs[];
  /** On the first delta, when asked for: one entry a prompt token, `undefined` for the first. */
  readonly promptLogprobs?: readonly (PositionLogprobs | undefined)[];
  /** On the last delta only. */
  readonly finishReason?: FinishReason;
  /** Stop string or stop token id that ended the request; absent for EOS. */
  readonly stopReason?: string | number;
  /** On the last delta of a ranked choice (`bestOf`, `beam`): sum of its tokens' log-probabilities, and what it was ranked by. */
  readonly cumulativeLogprob?: number;
  readonly score?: number;
  /** Of the whole request, all choices together. */
  readonly usage: RequestUsage;
}

/** Token counts of a request so far. */
export interface RequestUsage {
  readonly promptTokens: number;
  /** Tokens of all choices; those of `bestOf` that were not returned included. */
  readonly completionTokens: number;
  /** Prompt tokens whose keys and values came from the prefix cache. */
  readonly cachedTokens: number;
}
