import { RequestError } from './errors.js';

/** Where a server is in its life. Only `ready` takes generation requests. */
export type ServerState = 'starting' | 'ready' | 'draining' | 'closed';

/** The state of one server; it only goes forward. */
export class Lifecycle {
  #state: ServerState = 'starting';

  get state(): ServerState {
    return this.#state;
  }

  /** Moves on to `state`; going back is ignored. */
  advance(state: ServerState): void {
    const order: readonly ServerState[] = ['starting', 'ready', 'draining', 'closed'];
    if (order.indexOf(state) > order.indexOf(this.#state)) this.#state = state;
  }

  /** @throws {@link RequestError} `ERR_DRAINING` once the server is shutting down. */
  checkOpen(): void {
    if (this.#state === 'draining' || this.#state === 'closed') {
      throw new RequestError('ERR_DRAINING', 'the server is shutting down; send the request again to another or later');
    }
  }
}
