import { readFileSync } from 'node:fs';

/** Models with golden values. */
export type GoldenModel = 'smollm2' | 'gemma3';

/** A token and its log-probability. */
export type GoldenLogprob = readonly [tokenId: number, logprob: number];

/** Golden values of one model; `goldens/README.md` says where they come from. */
export interface Goldens {
  readonly model_file: string;
  readonly sha256: string;
  readonly oracle: string;
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_plain: readonly number[];
    readonly decoded: string;
  }[];
  readonly chats: readonly {
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly text: string;
    readonly ids: readonly number[];
  }[];
  /** Greedy continuations; `margin` is the logit gap between the best and the second token. */
  readonly prompts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly steps: readonly { readonly id: number; readonly margin: number; readonly top: readonly GoldenLogprob[] }[];
  }[];
  /** Teacher-forced: `logprobs[i]` belongs to `ids[i + 1]`, `top64[i]` is the distribution after `ids[i]`. */
  readonly score: readonly {
    readonly ids: readonly number[];
    readonly logprobs: readonly number[];
    readonly top64: readonly (readonly GoldenLogprob[])[];
  }[];
}

/** Log-probabilities of a float32 path agree with the goldens within this. */
export const GOLDEN_TOLERANCE = 2e-3;

/** Greedy ids of a float32 path agree where the margin is above this. */
export const GOLDEN_MARGIN = 4e-3;

/** Mean divergence of llama.cpp's own int8 path from float32, measured with {@link goldenDivergence} on `score`. */
export const LLAMA_CPP_DIVERGENCE: Readonly<Record<GoldenModel, number>> = { smollm2: 0.0028, gemma3: 0.0033 };

/** Reads the golden values of a model. */
export function readGoldens(model: GoldenModel): Goldens {
  return JSON.parse(readFileSync(new URL(`../../goldens/${model}.json`, import.meta.url), 'utf8')) as Goldens;
}

/**
 * KL(golden || other) of one position over the listed tokens and one bucket for the rest.
 * @param logprobOf - Natural log-probability of a token under the other distribution.
 */
export function goldenDivergence(golden: readonly GoldenLogprob[], logprobOf: (tokenId: number) => number): number {
  let divergence = 0;
  let goldenMass = 0;
  let otherMass = 0;
  for (const [tokenId, logprob] of golden) {
    const other = logprobOf(tokenId);
    divergence += Math.exp(logprob) * (logprob - other);
    goldenMass += Math.exp(logprob);
    otherMass += Math.exp(other);
  }
  const goldenRest = Math.max(1 - goldenMass, 1e-12);
  return divergence + goldenRest * Math.log(goldenRest / Math.max(1 - otherMass, 1e-12));
}
