import { BeamSearch } from './beam-search.js';
import type { ChoiceMaker } from './choice-maker.js';
import { RankedChoices } from './ranked-choices.js';
import { type ChoiceMakerOptions, SampledChoices } from './sampled-choices.js';

/** The maker that a request asks for. */
export function createChoiceMaker(options: ChoiceMakerOptions): ChoiceMaker {
  const { n, bestOf, beam } = options.running.request;
  if (beam !== undefined) return new BeamSearch(options);
  return bestOf !== undefined && bestOf > (n ?? 1) ? new RankedChoices(options) : new SampledChoices(options);
}
