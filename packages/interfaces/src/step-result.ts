/** Why a slot ended. */
export const END_REASON = { none: 0, eos: 1, stopToken: 2, length: 3 } as const;

/** Words of {@link StepResult.outputs}, one record an output of the batch. `F` marks a float32 bit pattern. */
export const RESULT_FIELD = {
  /** Sampled or target token; -1 when void (its row was a no-op, or a draft before it was rejected). */
  tokenId: 0,
  /** F; natural log under the model's own distribution, before temperature and truncation. Only with {@link OUTPUT_FLAG.logprobs}. */
  logprob: 1,
  /** 1-based rank of the token; 0 when not asked for. */
  rank: 2,
  /** {@link END_REASON} of the slot, on the output that ended it. */
  endReason: 3,
} as const;

/** Words a record of {@link StepResult.outputs}. */
export const RESULT_WORDS = 4;

/** Words of {@link StepResult.rows}, one record a row of the batch. */
export const ROW_RESULT_FIELD = {
  /** 1 when the row's slot had ended before this step and nothing was done. */
  skipped: 0,
  /** Drafts accepted. */
  numAccepted: 1,
  /** Tokens of the slot whose keys and values are valid after the step. */
  numComputed: 2,
  /** Tokens of the slot's history after the step. */
  historyLength: 3,
} as const;

/** Words a record of {@link StepResult.rows}. */
export const ROW_RESULT_WORDS = 4;

/** What a step produced. The views belong to the session and are valid until `maxInFlight` further steps were submitted. */
export interface StepResult {
  readonly stepId: number;
  /** `[numOutputs, RESULT_WORDS]`. */
  readonly outputs: Int32Array;
  /** `[numRows, ROW_RESULT_WORDS]`. */
  readonly rows: Int32Array;
  /** Best alternatives of each output in order, `topK` of the output's record each: logit descending, id ascending. */
  readonly topIds: Int32Array;
  /** Natural logs beside {@link StepResult.topIds}. */
  readonly topLogprobs: Float32Array;
  /** Pooled vectors of `pool` outputs, one after the other. */
  readonly pooled: Float32Array;
  /** Time the backend spent on the step, in microseconds. */
  readonly computeMicros: number;
}
