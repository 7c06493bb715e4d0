import fc from 'fast-check';

/** A request in plain numbers, for a tiny vocabulary. */
export interface TinyRequest {
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
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      ignoreEos: fc.boolean(),
      minTokens: fc.nat({ max: 2 }),
      logprobs: fc.constantFrom(undefined, undefined, 0, 2),
      promptLogprobs: fc.constantFrom(undefined, undefined, undefined, 0, 2),
      stopTokenIds: fc.constantFrom([], [], [4], [5, 6]),
    })
    .map(({ head, tail, ...rest }) => ({
      ...rest,
      prompt: [...head, ...tail].slice(0, bounds.maxPrompt),
      minTokens: Math.min(rest.minTokens, rest.maxTokens),
    }));
}
