/**
 * A `StepBatch` is one pointer-free buffer of 32-bit little-endian words. It may cross a thread, a process or a socket,
 * and is immutable from submit to result.
 *
 * ```
 * word 0            magic            STEP_BATCH_MAGIC
 * word 1            version          STEP_BATCH_VERSION
 * word 2            numWords         length of the whole batch
 * word 3            stepId           counts up from 1
 * words 4..7        0
 * words 8..         per section: first word, number of records   (2 words a section, STEP_SECTION order)
 * then              sections, each 16-word aligned; a section that is absent has 0 records
 * ```
 */
export const STEP_BATCH_MAGIC = 0x4b565342;

/** Layout version; a backend refuses any other. */
export const STEP_BATCH_VERSION = 2;

/** Words before the first section. */
export const STEP_HEADER_WORDS = 64;

/** Sections of a batch, in order. */
export const STEP_SECTION = {
  /** {@link SLOT_OP_WORDS} words each, applied in order before any row runs. */
  slotOps: 0,
  /** Token ids that slot ops and rows refer to by offset. */
  tokens: 1,
  /** {@link ROW_WORDS} words each. */
  rows: 2,
  /** {@link OUTPUT_WORDS} words each, ordered by row, then by token index. */
  outputs: 3,
  /** {@link TABLE_UPDATE_WORDS} words each, applied after slot ops. */
  tableUpdates: 4,
  /** Block ids that table updates refer to by offset. */
  blockIds: 5,
  /** {@link TRANSFER_WORDS} words each, carried out in order before any KV write. */
  transfers: 6,
  /** Later: one adapter index a row. */
  adapters: 7,
  /** Later: packed token masks. */
  masks: 8,
} as const;

/** Number of sections. */
export const NUM_STEP_SECTIONS = 9;

/** Words of one slot op. */
export const SLOT_OP_WORDS = 32;
/** Words of one row. */
export const ROW_WORDS = 8;
/** Words of one output. */
export const OUTPUT_WORDS = 8;
/** Words of one table update. */
export const TABLE_UPDATE_WORDS = 8;
/** Words of one transfer. */
export const TRANSFER_WORDS = 8;

/** Kinds of slot op (word 0 of its record). */
export const SLOT_OP = {
  /** Starts a slot; all fields below. */
  init: 0,
  /** Keeps the first `numComputed` KV tokens and the first `historyLength` history tokens; a slot that had ended runs again. */
  truncate: 1,
  /**
   * Starts `slot` as a copy of `source`'s history and state, with `choice` and seed of its own. Its block tables start empty and come by
   * table updates. A sample output of the source's row in the same step may name the fork: the fork's computed tokens then follow the row's.
   */
  fork: 2,
  release: 3,
} as const;

/**
 * Words of a slot op. `F` marks a float32 bit pattern. Words not named must be 0.
 * Lengths count tokens of the whole history (prompt and output).
 */
export const SLOT_OP_FIELD = {
  op: 0,
  slot: 1,
  /** fork: the slot copied. */
  source: 2,
  /** Index of the Program this slot runs. */
  program: 3,
  /** init: tokens section range of the history so far (prompt, plus output after a preemption). */
  historyOffset: 4,
  historyLength: 5,
  /** Leading tokens whose keys and values are already cached. */
  numComputed: 6,
  /** Tokens of the history that belong to the prompt. */
  promptLength: 7,
  /** The slot ends with `length` when its history has this many tokens. */
  maxLength: 8,
  /** EOS and stop ids are impossible while the history is shorter than this. */
  minLength: 9,
  /** {@link SLOT_FLAG} bits. */
  flags: 10,
  /** The choice's own seed (`choiceSeed` already applied): the key of its noise. */
  seedLow: 11,
  seedHigh: 12,
  choice: 13,
  /** F; 0 is greedy. */
  temperature: 14,
  /** F; 1 is off. */
  topP: 15,
  /** 0 is off. */
  topK: 16,
  /** Token ids that end the slot (model EOS ids are the session's). */
  stopIdsOffset: 17,
  stopIdsLength: 18,
  /** F; 0 is off. */
  minP: 19,
  /** F; 1 is off. */
  typicalP: 20,
  /** F; 1 is off. Counts prompt and output. */
  repetitionPenalty: 21,
  /** F; 0 is off. Counts the output: the history from `promptLength` on. */
  presencePenalty: 22,
  /** F; 0 is off. */
  frequencyPenalty: 23,
  /** Tokens section range, two words a bias: token id, F. Each id once. */
  biasOffset: 24,
  biasLength: 25,
  /** Token ids besides which nothing is possible; an empty range allows everything. */
  allowedOffset: 26,
  allowedLength: 27,
  /** Sequences that the output must not hold, one after the other: number of tokens, then the tokens. */
  badWordsOffset: 28,
  badWordsLength: 29,
} as const;

/** Bits of {@link SLOT_OP_FIELD.flags}. */
export const SLOT_FLAG = { ignoreEos: 1 } as const;

/**
 * Words of a row: `numQuery` tokens of a slot, starting at its first uncomputed position. The leading `numQuery - numDrafts`
 * come from the slot's history (so a row can be planned before its last sample is known), the rest from the tokens section.
 * A row whose slot has ended is a no-op.
 */
export const ROW_FIELD = { slot: 0, numQuery: 1, flags: 2, draftsOffset: 3, numDrafts: 4 } as const;

/** Bits of {@link ROW_FIELD.flags}. */
export const ROW_FLAG = {
  /** The row needs its previous sample to be known outside (a grammar mask): it is never submitted ahead. */
  needsSync: 1,
} as const;

/**
 * Kinds of output (word 2 of its record). How a `sample` comes about, in this order (that of vLLM, `typicalP` as in text-generation-inference). Log-probabilities are taken before any of it.
 *
 * 1. impossible: what is not in the allowed ids; the last token of a bad word whose other tokens end the output; EOS ids (of the session)
 *    and stop ids while the history is shorter than `minLength`
 * 2. bias is added
 * 3. repetition penalty, then frequency and presence penalty
 * 4. temperature 0: the best logit, the lowest id among equals; else logits are divided by the temperature
 * 5. kept of what is possible: min-p, top-k, top-p, typical-p, each over what the one before it kept
 * 6. the best of scaled logit plus noise (`tokenGumbel`)
 *
 * Drafts before an output count as output. Where nothing has a logit above -inf any more, the lowest id that step 1 leaves is taken,
 * and where it leaves none the lowest allowed id (0 when all are allowed).
 */
export const OUTPUT_KIND = { sample: 0, logprob: 1, pool: 2 } as const;

/**
 * Words of an output. `tokenIndex` counts from the row's first token. `sample` draws the token after `tokenIndex` and appends it to `slot` (the row's slot, or a fork of it for n > 1).
 * A row with drafts has one sample output at each of its last `numDrafts + 1` tokens; a draft counts as accepted iff it equals the sample before it,
 * and samples after the first mismatch are void (token -1).
 * `logprob` reports `targetId` after the token at `tokenIndex` and appends nothing; it always carries {@link OUTPUT_FLAG.logprobs}.
 * `topK` is 0 without that flag. A void output still takes its `topK` places in the result.
 */
export const OUTPUT_FIELD = { row: 0, tokenIndex: 1, kind: 2, slot: 3, targetId: 4, topK: 5, flags: 6 } as const;

/** Bits of {@link OUTPUT_FIELD.flags}. */
export const OUTPUT_FLAG = {
  /** Report log-probability and rank of the token, and the `topK` best alternatives. */
  logprobs: 1,
} as const;

/** Words of a table update: entries `[start, start + count)` of a slot's table in `group` become the ids at `idsOffset` of the blockIds section. */
export const TABLE_UPDATE_FIELD = { slot: 0, group: 1, start: 2, count: 3, idsOffset: 4 } as const;

/** Kinds of transfer (word 0 of its record). `copy` stays in the pool; the others reach another tier or process. */
export const TRANSFER_OP = { copy: 0, load: 1, store: 2, export: 3, import: 4 } as const;

/** Words of a transfer. */
export const TRANSFER_FIELD = { op: 0, group: 1, src: 2, dst: 3 } as const;

/** A packed step: the words in use of an arena. See the module's layout picture. */
export interface StepBatch {
  /** The whole arena; only `[0, numWords)` belongs to the step. */
  readonly words: Int32Array;
  readonly numWords: number;
}

/** One section of a batch as a view: record `i` starts at `words[start + i * stride]`. */
export interface SectionView {
  readonly start: number;
  readonly count: number;
}

/** Reads where a section lies. Does not check; a backend checks the header first. */
export function readSection(words: Int32Array, section: number): SectionView {
  const at = 8 + 2 * section;
  return { start: words[at] as number, count: words[at + 1] as number };
}
