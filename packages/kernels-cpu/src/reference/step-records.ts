/** A slot op with its offsets resolved. Fields that its `op` does not use are zero or empty. */
export interface SlotOpRecord {
  readonly op: number;
  readonly slot: number;
  readonly source: number;
  readonly program: number;
  readonly history: Int32Array;
  readonly historyLength: number;
  readonly numComputed: number;
  readonly promptLength: number;
  readonly maxLength: number;
  readonly minLength: number;
  readonly ignoreEos: boolean;
  readonly seed: bigint;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly stopIds: Int32Array;
  readonly minP: number;
  readonly typicalP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly logitBias: ReadonlyMap<number, number>;
  /** Empty when everything is allowed. */
  readonly allowedIds: Int32Array;
  readonly badWords: readonly (readonly number[])[];
}

/** A row with its drafts resolved. */
export interface RowRecord {
  readonly slot: number;
  readonly numQuery: number;
  readonly drafts: Int32Array;
}

/** One output; `row` and `tokenIndex` say where its logits come from. */
export interface OutputRecord {
  readonly row: number;
  readonly tokenIndex: number;
  readonly kind: number;
  readonly slot: number;
  readonly targetId: number;
  readonly topK: number;
  readonly wantsLogprobs: boolean;
}

/** Entries `[start, start + ids.length)` of one table. */
export interface TableUpdateRecord {
  readonly slot: number;
  readonly group: number;
  readonly start: number;
  readonly ids: Int32Array;
}

/** One movement of a block. */
export interface TransferRecord {
  readonly op: number;
  readonly group: number;
  readonly src: number;
  readonly dst: number;
}

/** A batch as objects: what a reader that wants clarity, not speed, works on. */
export interface StepRecords {
  readonly stepId: number;
  readonly slotOps: readonly SlotOpRecord[];
  readonly rows: readonly RowRecord[];
  readonly outputs: readonly OutputRecord[];
  readonly tableUpdates: readonly TableUpdateRecord[];
  readonly transfers: readonly TransferRecord[];
}
