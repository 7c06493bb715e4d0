import { InvalidArgumentError } from '@kvasir/interfaces';
import type { Random } from '../random.js';

/** Gives the times between arrivals, in milliseconds. */
export type Arrivals = (random: Random) => number;

/** Independent arrivals. @param perSecond - Their mean rate; `Infinity` sends all at once. */
export function poissonArrivals(perSecond: number): Arrivals {
  checkRate(perSecond);
  return (random) => random.exponential(1000 / perSecond);
}

/**
 * Arrivals in bunches with long pauses: gamma distributed gaps.
 * @param perSecond - Mean rate.
 * @param burstiness - Coefficient of variation of the gaps; 1 would be Poisson, 3 is what busy public services show.
 */
export function burstyArrivals(perSecond: number, burstiness = 3): Arrivals {
  checkRate(perSecond);
  if (!(burstiness > 0) || !Number.isFinite(burstiness)) {
    throw new InvalidArgumentError('burstiness', `burstiness is ${burstiness}: expected a number above 0`);
  }
  const shape = 1 / burstiness ** 2;
  return (random) => random.gamma(shape, 1000 / perSecond / shape);
}

function checkRate(perSecond: number): void {
  if (perSecond > 0) return;
  throw new InvalidArgumentError('perSecond', `perSecond is ${perSecond}: expected a rate above 0`);
}
