import type { SamplingParams } from '@kvasir/interfaces';
import fc from 'fast-check';

/** The sampling parameters besides temperature, top-k and top-p. */
export type SamplingExtras = Pick<
  SamplingParams,
  | 'minP'
  | 'typicalP'
  | 'repetitionPenalty'
  | 'presencePenalty'
  | 'frequencyPenalty'
  | 'logitBias'
  | 'allowedTokenIds'
  | 'badWords'
>;

/** All of them off, for tests that are about something else. */
export const NO_SAMPLING_EXTRAS: SamplingExtras = {
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
  allowedTokenIds: undefined,
  badWords: [],
};

/** A request in plain numbers, for a tiny vocabulary. */
export interface TinyRequest extends SamplingExtras {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: bigint;
  readonly ignoreEos: boolean;
  readonly minTokens: number;
  readonly logprobs: number | undefined;
  readonly promptLogprobs: number | undefined;
  readonly stopTokenIds: readonly number[];
}

/** Bounds of {@link tinyRequest}. */
export interface TinyRequestBounds {
  readonly vocabSize: number;
  readonly maxPrompt: number;
  readonly maxTokens: number;
}

/** Each is off more often than not. */
export function samplingExtras(vocabSize: number): fc.Arbitrary<SamplingExtras> {
  const token = fc.nat({ max: vocabSize - 1 });
  const bias = fc.tuple(token, fc.constantFrom(-100, -2, 0.5, 3));
  return fc.record({
    minP: fc.constantFrom(0, 0, 0, 0.1, 0.6),
    typicalP: fc.constantFrom(1, 1, 1, 0.9, 0.4),
    repetitionPenalty: fc.constantFrom(1, 1, 1, 1.3, 0.8),
    presencePenalty: fc.constantFrom(0, 0, 0, 0.7, -0.5),
    frequencyPenalty: fc.constantFrom(0, 0, 0, 0.4, -0.3),
    logitBias: fc
      .oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(bias, { maxLength: 4 }) })
      .map((biases) => new Map(biases)),
    allowedTokenIds: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.uniqueArray(token, { minLength: 1, maxLength: vocabSize }) },
    ),
    badWords: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.array(token, { minLength: 1, maxLength: 2 }), { maxLength: 3 }) },
    ),
  });
}

/** Requests whose prompts often share a prefix, so that caches hit and copies are needed. */
export function tinyRequest(bounds: TinyRequestBounds): fc.Arbitrary<TinyRequest> {
  const token = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(2, 3) }, fc.nat({ max: bounds.vocabSize - 1 }));
  const shared = fc.nat({ max: bounds.maxPrompt - 1 }).map((length) => Array.from({ length }, (_, i) => 2 + (i % 2)));
  return fc
    .record({
      head: fc.oneof(fc.constant<number[]>([]), shared),
      tail: fc.array(token, { minLength: 1, maxLength: bounds.maxPrompt }),
      maxTokens: fc.integer({ min: 1, max: bounds.maxTokens }),
      temperature: fc.constantFrom(0, 0.5, 1, 2),
      topK: fc.constantFrom(0, 0, 1, 3),
      topP: fc.constantFrom(1, 1, 0.5, 0.9),
      extras: samplingExtras(bounds.vocabSize),
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      ignoreEos: fc.boolean(),
      minTokens: fc.nat({ max: 2 }),
      logprobs: fc.constantFrom(undefined, undefined, 0, 2),
      promptLogprobs: fc.constantFrom(undefined, undefined, undefined, 0, 2),
      stopTokenIds: fc.constantFrom([], [], [4], [5, 6]),
    })
    .map(({ head, tail, extras, ...rest }) => ({
      ...rest,
      ...extras,
      prompt: [...head, ...tail].slice(0, bounds.maxPrompt),
      minTokens: Math.min(rest.minTokens, rest.maxTokens),
    }));
}
