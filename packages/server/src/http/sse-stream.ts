import type { ServerResponse } from 'node:http';

/** Marks the end of a stream that went well. */
export const SSE_DONE = 'data: [DONE]\n\n';

/** Thrown by {@link SseStream.write} when the client is gone or does not read. */
export class ClientGoneError extends Error {}

/**
 * A server-sent event stream over a hijacked response. One `write` is one chunk on the socket; while the client is slow
 * `write` does not resolve, so a caller that awaits it holds at most one chunk.
 */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #stallTimeoutMs: number;

  /** Sends the head. @param stallTimeoutMs - A client that takes nothing for this long is dropped. */
  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, stallTimeoutMs: number) {
    this.#response = response;
    this.#stallTimeoutMs = stallTimeoutMs;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...headers,
    });
  }

  /** Resolves when the socket can take more. @throws {@link ClientGoneError} */
  write(frames: string): Promise<void> | undefined {
    if (this.#response.destroyed) throw new ClientGoneError();
    return this.#response.write(frames) ? undefined : this.#drained();
  }

  /** Ends the stream with a last chunk. */
  end(frames: string): void {
    if (!this.#response.destroyed) this.#response.end(frames);
  }

  #drained(): Promise<void> {
    const response = this.#response;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => response.destroy(), this.#stallTimeoutMs);
      const settle = () => {
        clearTimeout(timer);
        response.off('drain', settle);
        response.off('close', settle);
        if (response.destroyed) reject(new ClientGoneError());
        else resolve();
      };
      response.once('drain', settle);
      response.once('close', settle);
    });
  }
}

/** One event around ready-made JSON. */
export function sseFrame(json: string): string {
  return `data: ${json}\n\n`;
}
