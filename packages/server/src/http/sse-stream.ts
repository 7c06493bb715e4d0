import type { ServerResponse } from 'node:http';
import type { ServerMeters } from '../metrics/server-meters.js';
import { dropWhenStalled } from './stalled-answer.js';

/** Marks the end of a stream that went well. */
export const SSE_DONE = 'data: [DONE]\n\n';

/** Thrown by {@link SseStream.write} when the client is gone or was dropped. */
export class ClientGoneError extends Error {}

/** How patient a stream is. */
export interface SseStreamOptions {
  /** A client that takes nothing for this long is dropped. */
  readonly stallTimeoutMs: number;
  /** Bytes that wait for a client beside what its socket holds; one that falls further behind is dropped. */
  readonly maxUnsentBytes: number;
  readonly meters: ServerMeters;
  /** Called when the client is dropped. */
  readonly onDropped: () => void;
}

/** What is written at once after a pause: each such part that is taken proves that the client reads. */
const SLICE_LENGTH = 1 << 16;

/**
 * A server-sent event stream over a hijacked response. While the client is slow, events wait here, within a bound, and
 * go out in slices as it reads; nobody else waits for it.
 *
 *     write -> [ unsent ] -> socket (one slice) -> client
 *              bounded      'drain' asks for more, no 'drain' within the timeout drops the client
 */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #options: SseStreamOptions;
  #unsent: string[] = [];
  /** UTF-16 code units: events are JSON of mostly ASCII. */
  #numUnsent = 0;
  #isPaused = false;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;

  /** Sends the head. */
  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, options: SseStreamOptions) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...headers,
    });
    response.on('drain', () => this.#resume());
    response.once('close', () => this.#forget());
  }

  /** Sends an event, or keeps it for a client that is slow. @throws {@link ClientGoneError} */
  write(frames: string): void {
    if (this.#response.destroyed) throw new ClientGoneError();
    if (!this.#isPaused) this.#send(frames);
    else this.#keep(frames);
  }

  /** Ends the stream with a last event, once the client has taken all. */
  end(frames: string): void {
    if (this.#response.destroyed) return;
    if (!this.#isPaused) {
      this.#finish(frames);
      return;
    }
    this.#unsent.push(frames);
    this.#numUnsent += frames.length;
    this.#isEnding = true;
  }

  #send(frames: string): void {
    if (this.#response.write(frames)) return;
    const { meters, stallTimeoutMs } = this.#options;
    this.#isPaused = true;
    meters.numPauses++;
    meters.numPaused++;
    this.#timer = setTimeout(() => this.#drop(), stallTimeoutMs);
  }

  #keep(frames: string): void {
    this.#unsent.push(frames);
    this.#numUnsent += frames.length;
    if (this.#numUnsent <= this.#options.maxUnsentBytes) return;
    this.#drop();
    throw new ClientGoneError();
  }

  /** The socket has given all it had to the system: slices go out until it is full again. */
  #resume(): void {
    this.#unpause();
    while (!this.#isPaused && this.#unsent.length > 0) {
      const slice = this.#takeSlice();
      if (this.#unsent.length === 0 && this.#isEnding) this.#finish(slice);
      else this.#send(slice);
    }
  }

  #takeSlice(): string {
    let numTaken = 0;
    let length = 0;
    while (numTaken < this.#unsent.length && length < SLICE_LENGTH) length += this.#unsent[numTaken++]!.length;
    this.#numUnsent -= length;
    return this.#unsent.splice(0, numTaken).join('');
  }

  #finish(frames: string): void {
    dropWhenStalled(this.#response, this.#options);
    this.#response.end(frames);
  }

  #unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#options.meters.numPaused--;
    clearTimeout(this.#timer);
  }

  #drop(): void {
    this.#options.onDropped();
    this.#response.destroy();
    this.#forget();
  }

  #forget(): void {
    this.#unpause();
    this.#unsent = [];
    this.#numUnsent = 0;
  }
}

/** One event around ready-made JSON. */
export function sseFrame(json: string): string {
  return `data: ${json}\n\n`;
}
