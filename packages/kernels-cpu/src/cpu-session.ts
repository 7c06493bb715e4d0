import {
  KvasirError,
  RESULT_WORDS,
  ROW_RESULT_WORDS,
  type Session,
  type SessionInfo,
  type SessionOptions,
  type StepBatch,
  type StepResult,
} from '@kvasir/interfaces';
import type { NativeSession, TraceEntry } from './addon.js';
import { callNative, nativeError } from './native-error.js';
import { InvalidStepError } from './reference/invalid-step-error.js';

interface PendingStep {
  readonly resolve: (result: StepResult) => void;
  readonly reject: (error: Error) => void;
}

/** A session on the CPU. Steps run on threads of its own; this object only hands words over and results back. */
export class CpuSession implements Session {
  readonly info: SessionInfo;
  readonly #native: NativeSession;
  readonly #maxInFlight: number;
  /** One more than may be outstanding, so that a result stays valid until as many further steps were submitted. */
  readonly #arenas: readonly Int32Array[];
  readonly #counts = new Float64Array(5);
  readonly #pending: PendingStep[] = [];
  #numSettled = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #onClosed: (() => void) | undefined;

  /** @internal */
  constructor(info: SessionInfo, options: SessionOptions, native: NativeSession) {
    this.info = info;
    this.#native = native;
    this.#maxInFlight = options.maxInFlight;
    const numWords =
      options.maxOutputsPerStep * (RESULT_WORDS + 2 * options.maxTopLogprobs) +
      Math.min(options.maxSlots, options.maxTokensPerStep) * ROW_RESULT_WORDS;
    this.#arenas = Array.from({ length: options.maxInFlight + 1 }, () => new Int32Array(numWords));
  }

  step(batch: StepBatch): Promise<StepResult> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      if (this.#pending.length >= this.#maxInFlight) {
        throw new InvalidStepError(
          `${this.#pending.length} steps are outstanding, expected fewer than ${this.#maxInFlight}`,
        );
      }
      callNative(() => this.#native.submit(batch.words, batch.numWords));
      this.#pending.push({ resolve, reject });
    });
  }

  readBlock(group: number, block: number): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#checkOpen();
      resolve(callNative(() => this.#native.readBlock(group, block)));
    });
  }

  writeBlock(group: number, block: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#checkOpen();
      resolve(callNative(() => this.#native.writeBlock(group, block, bytes)));
    });
  }

  /** Time of steps by kind of phase since the last call; empty unless the backend traces. Only while no step is outstanding. */
  trace(): readonly TraceEntry[] {
    this.#checkOpen();
    return callNative(() => this.#native.takeTrace());
  }

  /** Bytes really held, by the division of the plan, and slots in use. Only while no step is outstanding. */
  memory(): { readonly weightBytes: number; readonly scratchBytes: number; readonly numSlots: number } {
    this.#checkOpen();
    return callNative(() => this.#native.memory());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link CpuSession.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Called by the addon when the oldest outstanding step is done. */
  settle(code: string | undefined, message: string | undefined, ring: number): void {
    const pending = this.#pending.shift();
    if (pending === undefined) return;
    if (code !== undefined) pending.reject(nativeError(code, message ?? code));
    else {
      try {
        pending.resolve(this.#takeResult(ring));
      } catch (error) {
        pending.reject(error as Error);
      }
    }
    if (this.#pending.length === 0) this.#onIdle?.();
  }

  /** Called by the addon when everything is freed. */
  closed(): void {
    this.#onClosed?.();
  }

  async #close(): Promise<void> {
    if (this.#pending.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      this.#native.close();
    });
  }

  #takeResult(ring: number): StepResult {
    const arena = this.#arenas[this.#numSettled++ % this.#arenas.length] as Int32Array<ArrayBuffer>;
    this.#native.takeResult(ring, arena, this.#counts);
    const [stepId, numOutputs, numRows, numTop, computeMicros] = this.#counts as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    const rowsAt = numOutputs * RESULT_WORDS;
    const topAt = rowsAt + numRows * ROW_RESULT_WORDS;
    return {
      stepId,
      outputs: arena.subarray(0, rowsAt),
      rows: arena.subarray(rowsAt, topAt),
      topIds: arena.subarray(topAt, topAt + numTop),
      topLogprobs: new Float32Array(arena.buffer, 4 * (topAt + numTop), numTop),
      pooled: NO_VECTORS,
      computeMicros,
    };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new KvasirError('ERR_SESSION_CLOSED', 'the session is closed: open another');
    }
  }
}

const NO_VECTORS = new Float32Array(0);
