import type { ServerResponse } from 'node:http';
import { RequestError } from './errors.js';

/** Where a server is in its life. Only `ready` takes generation requests. */
export type ServerState = 'starting' | 'ready' | 'draining' | 'closed';

/** The state of one server; it only goes forward. */
export class Lifecycle {
  #state: ServerState = 'starting';
  readonly #running = new Set<ServerResponse>();
  readonly #waiting: (() => void)[] = [];

  get state(): ServerState {
    return this.#state;
  }

  /** Moves on to `state`; going back is ignored. */
  advance(state: ServerState): void {
    const order: readonly ServerState[] = ['starting', 'ready', 'draining', 'closed'];
    if (order.indexOf(state) > order.indexOf(this.#state)) this.#state = state;
  }

  /** Answers that a server which shuts down waits for: let in, and neither complete nor cut off. */
  get numRunning(): number {
    return this.#running.size;
  }

  /** Counts an answer as running from now, when its body may still be on its way, until it is complete or cut off. */
  track(response: ServerResponse): void {
    this.#running.add(response);
    response.once('close', () => {
      this.#running.delete(response);
      if (this.#running.size > 0) return;
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  /** Resolves once nothing runs. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @throws {@link RequestError} `ERR_DRAINING` once the server is shutting down. */
  checkOpen(): void {
    if (this.#state === 'draining' || this.#state === 'closed') {
      throw new RequestError('ERR_DRAINING', 'the server is shutting down; send the request again to another or later');
    }
  }
}
