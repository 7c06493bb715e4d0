import { createRandom } from '../workload.js';
import { type Action, createActions, type Target } from './actions.js';
import { Tally } from './tally.js';

/** Random load of a fixed length. */
export interface Load {
  readonly target: Target;
  readonly seconds: number;
  readonly seed: number;
  /** Users at a time in the quiet half of each period. */
  readonly users: number;
  /** Users at a time in the other half: more than the server can queue. */
  readonly burstUsers: number;
}

/** Seconds of one quiet and one crowded half together. */
const PERIOD_SECONDS = 20;

/** Users send requests of random kinds, one after the other, until the time is over; the last ones are waited for. */
export async function runLoad({ target, seconds, seed, users, burstUsers }: Load): Promise<Tally> {
  const tally = new Tally();
  const actions = createActions();
  const random = createRandom(seed);
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  let index = 0;
  const user = async (number: number) => {
    while (elapsed() < seconds) {
      const isCrowded = elapsed() % PERIOD_SECONDS > PERIOD_SECONDS / 2;
      if (number >= users && !isCrowded) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      const action = choose(actions, random());
      const { outcome, tokens, why } = await action.run(target, random, index++);
      if (outcome === 'lost') tally.lose(action.kind, why ?? 'no reason');
      else tally.add(action.kind, outcome, tokens);
      // Who was sent away comes back a little later.
      if (outcome === 'busy') await new Promise((resolve) => setTimeout(resolve, 300 + 700 * random()));
    }
  };
  await Promise.all(Array.from({ length: burstUsers }, (_, number) => user(number)));
  return tally;
}

function choose(actions: readonly Action[], at: number): Action {
  let left = at * actions.reduce((sum, { weight }) => sum + weight, 0);
  for (const action of actions) {
    left -= action.weight;
    if (left < 0) return action;
  }
  return actions[actions.length - 1] as Action;
}
