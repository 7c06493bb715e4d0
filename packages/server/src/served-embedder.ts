import type { Tokenizer } from '@kvasir/interfaces';

/** An encoder that can be served. An `Embedder` of `@kvasir/engine` is one. */
export interface ServedEmbedder {
  /** Name under which clients ask for it, unless the server's options give others. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** Numbers a vector. */
  readonly width: number;
  readonly limits: {
    /** Most tokens of an input, special tokens included. */
    readonly maxModelLen: number;
  };
  /** Where it runs, what memory it takes and what decides its bits, for `/server_info`. Nothing secret. */
  readonly device?: object | undefined;
  readonly memory?: object | undefined;
  readonly numericsId?: string | undefined;

  /** Token ids of a text, special tokens included; a longer one is cut to `maxTokens`, special tokens kept. */
  tokenize(text: string, maxTokens?: number): Int32Array;

  /** @throws `KvasirError` `ERR_QUEUE_FULL` when a call of this many inputs would be refused now. */
  checkRoom(numInputs: number): void;

  /**
   * One vector an input, in their order, each of `dimensions` numbers.
   * @throws `KvasirError` `ERR_QUEUE_FULL`; `ERR_BATCH_FAILED` when the backend failed. Rejects with the signal's reason.
   */
  embed(
    inputs: readonly Int32Array[],
    options: EmbedCallOptions,
  ): Promise<{ readonly vectors: readonly Float32Array[] }>;

  /** Numbers as of now. */
  stats(): EmbedderNumbers;

  /** What broke it for good; `undefined` or absent while all is well. */
  readonly failure?: Error | undefined;

  /** Calls `observer` for each event, until the returned function is called. */
  observe(observer: ServedEmbedderObserver): () => void;
}

/** How one call of a {@link ServedEmbedder} runs and is cancelled. */
export interface EmbedCallOptions {
  readonly dimensions: number;
  readonly signal: AbortSignal;
  /** When the HTTP request came, on the clock of `performance.now()`. */
  readonly arrivalMs: number;
}

/** Numbers of a {@link ServedEmbedder}: gauges as of now, counters since it was loaded. An input is what gets a vector. */
export interface EmbedderNumbers {
  /** Inputs in the batch that runs, and inputs that wait. */
  readonly numRunning: number;
  readonly numWaiting: number;
  readonly numWaitingTokens: number;
  /** Calls, and their inputs. */
  readonly numCalls: number;
  readonly numInputs: number;
  /** Tokens of inputs that have their vector. */
  readonly promptTokens: number;
  readonly numBatches: number;
  readonly numFailedBatches: number;
  /** Inputs that ended, by reason. */
  readonly finished: Readonly<Record<'stop' | 'abort' | 'error', number>>;
}

/** One batch that has a result. */
export interface BatchNumbers {
  readonly numSequences: number;
  readonly numTokens: number;
  /** Submission to result. */
  readonly elapsedMs: number;
}

/** One input that has its vector. */
export interface EmbeddedInputNumbers {
  readonly numTokens: number;
  /** Arrival of its request to its batch. */
  readonly queueMs: number;
  /** Time of its batch. */
  readonly inferenceMs: number;
  /** Arrival to vector. */
  readonly endToEndMs: number;
}

/** Hears what a {@link ServedEmbedder} does. */
export interface ServedEmbedderObserver {
  /** After each batch that has a result. */
  onBatch?(batch: BatchNumbers): void;
  /** After each input that got its vector. */
  onEmbedded?(input: EmbeddedInputNumbers): void;
}

/** An embedder of a server, and what clients call it. */
export interface EmbedderEntry {
  readonly embedder: ServedEmbedder;
  /** Default: the model's own name. */
  readonly names?: readonly string[];
}
