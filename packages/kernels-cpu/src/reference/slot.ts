import { END_REASON } from '@kvasir/interfaces';
import type { SlotOpRecord } from './step-records.js';

/** How a slot samples and when it ends. */
export interface SlotSampling {
  readonly seed: bigint;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly stopIds: readonly number[];
  readonly minP: number;
  readonly typicalP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly logitBias: ReadonlyMap<number, number>;
  /** Empty when everything is allowed. */
  readonly allowedIds: readonly number[];
  readonly badWords: readonly (readonly number[])[];
  readonly ignoreEos: boolean;
  readonly minLength: number;
  readonly maxLength: number;
}

/** A running sequence as a session knows it. */
export interface Slot {
  readonly program: number;
  sampling: SlotSampling;
  /** Every token so far, prompt and output. */
  readonly history: number[];
  /** Tokens of the history before the output. */
  promptLength: number;
  /** Leading tokens whose keys and values are valid. `history.length` is larger, except after a row that sampled nothing. */
  numComputed: number;
  /** {@link END_REASON}; `none` while it runs. */
  endReason: number;
  /** Block table of each KV group. */
  readonly tables: number[][];
}

/** The slot that an `init` starts. Its tables come by table updates. */
export function startSlot(op: SlotOpRecord, numGroups: number): Slot {
  return {
    program: op.program,
    sampling: {
      seed: op.seed,
      temperature: op.temperature,
      topP: op.topP,
      topK: op.topK,
      stopIds: [...op.stopIds],
      minP: op.minP,
      typicalP: op.typicalP,
      repetitionPenalty: op.repetitionPenalty,
      presencePenalty: op.presencePenalty,
      frequencyPenalty: op.frequencyPenalty,
      logitBias: op.logitBias,
      allowedIds: [...op.allowedIds],
      badWords: op.badWords,
      ignoreEos: op.ignoreEos,
      minLength: op.minLength,
      maxLength: op.maxLength,
    },
    history: [...op.history],
    promptLength: op.promptLength,
    numComputed: op.numComputed,
    endReason: END_REASON.none,
    tables: Array.from({ length: numGroups }, () => []),
  };
}

/** A copy that shares nothing with `slot`. */
export function cloneSlot(slot: Slot): Slot {
  return { ...slot, history: [...slot.history], tables: slot.tables.map((table) => [...table]) };
}

/** Appends a sampled token and decides whether the slot ends with it. */
export function appendSample(slot: Slot, tokenId: number, eosTokenIds: readonly number[]): void {
  slot.history.push(tokenId);
  const { ignoreEos, stopIds, maxLength } = slot.sampling;
  if (!ignoreEos && eosTokenIds.includes(tokenId)) slot.endReason = END_REASON.eos;
  else if (stopIds.includes(tokenId)) slot.endReason = END_REASON.stopToken;
  else if (slot.history.length >= maxLength) slot.endReason = END_REASON.length;
}
