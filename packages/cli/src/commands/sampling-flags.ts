import type { SamplingOptions } from '@kvasir/engine';
import type { Flag, FlagValue } from '../flags/flag.js';

/** Flags that say how tokens are chosen, the limit of an answer aside. */
export const samplingFlags: readonly Flag[] = [
  {
    kind: 'number',
    name: 'temperature',
    minimum: 0,
    maximum: 100,
    defaultText: "the model's own, else 1",
    description: '0 takes the likeliest token each time.',
  },
  {
    kind: 'number',
    name: 'top-p',
    minimum: 0,
    isMinimumExcluded: true,
    maximum: 1,
    defaultText: "the model's own, else 1",
    description: 'Keep the likeliest tokens whose probabilities add up to X.',
  },
  {
    kind: 'integer',
    name: 'top-k',
    minimum: 0,
    defaultText: "the model's own, else 0",
    description: 'Keep the N likeliest tokens; 0 keeps all.',
  },
];

/** `--max-tokens` with a default of its own for each command. */
export function maxTokensFlag(defaultTokens: number): Flag {
  return {
    kind: 'integer',
    name: 'max-tokens',
    minimum: 1,
    default: defaultTokens,
    description: 'Most tokens of output.',
  };
}

/** Sampling as the flags say; what is neither given nor defaulted is the model's. */
export function samplingOptions(values: ReadonlyMap<string, FlagValue>): SamplingOptions {
  const number = (name: string) => values.get(name) as number | undefined;
  return {
    maxTokens: number('max-tokens'),
    temperature: number('temperature'),
    topP: number('top-p'),
    topK: number('top-k'),
    seed: number('seed'),
  };
}
