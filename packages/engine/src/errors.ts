import { KvasirError } from '@kvasir/interfaces';

/** As much waits as may: try again later. */
export class QueueFullError extends KvasirError {
  readonly numQueued: number;
  /** The limit, in what is queued: requests of an engine, inputs of an embedder. */
  readonly maxQueued: number;
  /** When there should be room, by the measured drain rate. */
  readonly retryAfterMs: number;

  constructor(numQueued: number, maxQueued: number, retryAfterMs: number, what: 'inputs' | 'requests' = 'requests') {
    const option = what === 'requests' ? 'maxQueuedRequests' : 'maxQueuedInputs';
    super(
      'ERR_QUEUE_FULL',
      `${numQueued} ${what} are waiting, at most ${maxQueued} may: try again in ${retryAfterMs} ms or raise ${option}`,
    );
    this.numQueued = numQueued;
    this.maxQueued = maxQueued;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a {@link DeadlineExceededError} tells. */
export interface DeadlineFacts {
  readonly requestId: string;
  readonly timeoutMs: number;
  readonly elapsedMs: number;
  readonly completionTokens: number;
  /** When it ended before its time: the least time that the tokens before the first output token would still have taken. */
  readonly neededMs?: number;
  readonly neededTokens?: number;
}

/** The time that a request allowed itself is over, or too short for what must still be computed. */
export class DeadlineExceededError extends KvasirError {
  readonly facts: DeadlineFacts;

  constructor(facts: DeadlineFacts) {
    const { requestId, timeoutMs, elapsedMs, completionTokens, neededMs, neededTokens } = facts;
    const elapsed = `${Math.round(elapsedMs)} ms after it arrived`;
    super(
      'ERR_DEADLINE_EXCEEDED',
      neededMs === undefined
        ? `request '${requestId}' was ended ${elapsed}, with ${completionTokens} tokens generated: its timeoutMs is ${timeoutMs}, allow more time or ask for fewer tokens`
        : `request '${requestId}' was ended ${elapsed}: ${neededTokens} tokens before its first output token need at least ${Math.round(neededMs)} ms and its timeoutMs is ${timeoutMs}, allow more time or shorten the prompt`,
    );
    this.facts = facts;
  }
}

/** A prompt leaves no room for a token of output. */
export class PromptTooLongError extends KvasirError {
  readonly promptTokens: number;
  readonly maxModelLen: number;

  constructor(promptTokens: number, maxModelLen: number) {
    super(
      'ERR_PROMPT_TOO_LONG',
      `the prompt has ${promptTokens} tokens, expected at most ${maxModelLen - 1} so that one more fits into the model's ${maxModelLen}: shorten it`,
    );
    this.promptTokens = promptTokens;
    this.maxModelLen = maxModelLen;
  }
}

/** A request id is in use by a request that has not ended. */
export class DuplicateRequestError extends KvasirError {
  readonly requestId: string;

  constructor(requestId: string) {
    super('ERR_DUPLICATE_REQUEST', `request '${requestId}' is running already: give each request an id of its own`);
    this.requestId = requestId;
  }
}

/** The engine is closed or closing and takes no requests. */
export class EngineClosedError extends KvasirError {
  constructor() {
    super('ERR_ENGINE_CLOSED', 'the engine is closed: load the model again');
  }
}

/** The backend could not run a step that a request was part of. `cause` is what it said. */
export class StepFailedError extends KvasirError {
  readonly stepId: number;

  constructor(stepId: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('ERR_STEP_FAILED', `step ${stepId} failed and its requests ended with it: ${reason}`, { cause });
    this.stepId = stepId;
  }
}

/** A model does not fit into memory as configured. */
export class InsufficientMemoryError extends KvasirError {
  readonly neededBytes: number;
  readonly availableBytes: number;

  constructor(message: string, neededBytes: number, availableBytes: number) {
    super('ERR_INSUFFICIENT_MEMORY', message);
    this.neededBytes = neededBytes;
    this.availableBytes = availableBytes;
  }
}

/** An input of an embedder is longer than its model takes. */
export class InputTooLongError extends KvasirError {
  /** Which of the inputs of the call. */
  readonly index: number;
  readonly numTokens: number;
  readonly maxModelLen: number;

  constructor(index: number, numTokens: number, maxModelLen: number) {
    super(
      'ERR_INPUT_TOO_LONG',
      `input ${index} has ${numTokens} tokens, expected at most ${maxModelLen}: shorten it or have it truncated`,
    );
    this.index = index;
    this.numTokens = numTokens;
    this.maxModelLen = maxModelLen;
  }
}

/** The backend could not run a batch that a call had inputs in. `cause` is what it said. */
export class BatchFailedError extends KvasirError {
  readonly numSequences: number;
  readonly numTokens: number;

  constructor(numSequences: number, numTokens: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      'ERR_BATCH_FAILED',
      `a batch of ${numSequences} sequences and ${numTokens} tokens failed and its calls ended with it: ${reason}`,
      { cause },
    );
    this.numSequences = numSequences;
    this.numTokens = numTokens;
  }
}
