/** Parameters that shape the distribution of a token, by their meaning in vLLM's `SamplingParams`; `typicalP` by TGI's. */
export interface Shaping {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly logitBias?: ReadonlyMap<number, number>;
  readonly allowedTokenIds?: readonly number[];
  readonly badWords?: readonly (readonly number[])[];
  readonly minTokens?: number;
}

/** What came before the token. */
export interface Situation {
  readonly prompt: readonly number[];
  readonly output: readonly number[];
  /** EOS and stop ids. */
  readonly ends: readonly number[];
}

/** One rule: logits in, logits out; -inf is impossible. */
type Rule = (logits: readonly number[], shaping: Shaping, situation: Situation) => number[];

const IMPOSSIBLE = Number.NEGATIVE_INFINITY;

function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

const keep = (logits: readonly number[], isKept: (id: number) => boolean) =>
  logits.map((logit, id) => (isKept(id) ? logit : IMPOSSIBLE));

const times = (ids: readonly number[], id: number) => ids.filter((each) => each === id).length;

/** Every rule as the sampler defines it that it is taken from, over the whole vocabulary, without regard to cost. */
const RULES = {
  allowed: (logits, { allowedTokenIds }) => keep(logits, (id) => allowedTokenIds?.includes(id) ?? true),
  badWords: (logits, { badWords = [] }, { output }) => {
    const ends = (word: readonly number[]) =>
      output.length >= word.length - 1 &&
      word.slice(0, -1).every((id, i) => id === output[output.length - word.length + 1 + i]);
    return keep(logits, (id) => !badWords.some((word) => word.at(-1) === id && ends(word)));
  },
  minTokens: (logits, { minTokens = 0 }, { output, ends }) =>
    keep(logits, (id) => output.length >= minTokens || !ends.includes(id)),
  bias: (logits, { logitBias }) => logits.map((logit, id) => logit + (logitBias?.get(id) ?? 0)),
  repetition: (logits, { repetitionPenalty = 1 }, { prompt, output }) =>
    logits.map((logit, id) => {
      if (!prompt.includes(id) && !output.includes(id)) return logit;
      return logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }),
  frequency: (logits, { frequencyPenalty = 0 }, { output }) =>
    logits.map((logit, id) => logit - frequencyPenalty * times(output, id)),
  presence: (logits, { presencePenalty = 0 }, { output }) =>
    logits.map((logit, id) => logit - (output.includes(id) ? presencePenalty : 0)),
  temperature: (logits, { temperature = 1 }) => logits.map((logit) => logit / temperature),
  minP: (logits, { minP = 0 }) => {
    const probabilities = softmax(logits);
    const floor = minP * Math.max(...probabilities);
    return keep(logits, (id) => probabilities[id]! >= floor);
  },
  topK: (logits, { topK = 0 }) => {
    if (topK <= 0) return [...logits];
    const smallest = logits.toSorted((a, b) => b - a)[Math.min(topK, logits.length) - 1]!;
    return keep(logits, (id) => logits[id]! >= smallest);
  },
  topP: (logits, { topP = 1 }) => {
    const probabilities = softmax(logits);
    const above = (id: number) => probabilities.reduce((sum, p) => sum + (p > probabilities[id]! ? p : 0), 0);
    return topP < 1 ? keep(logits, (id) => above(id) < topP) : [...logits];
  },
  typicalP: (logits, { typicalP = 1 }) => {
    if (typicalP >= 1) return [...logits];
    const probabilities = softmax(logits);
    const surprise = probabilities.map((p) => -Math.log(p));
    const entropy = probabilities.reduce((sum, p, id) => sum + (p > 0 ? p * surprise[id]! : 0), 0);
    const distance = surprise.map((each) => Math.abs(each - entropy));
    const nearer = (id: number) => probabilities.reduce((sum, p, i) => sum + (distance[i]! < distance[id]! ? p : 0), 0);
    return keep(logits, (id) => nearer(id) < typicalP);
  },
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

/** The order in which vLLM applies its rules; typical-p comes last, as in TGI. */
const ORDER = Object.keys(RULES) as readonly RuleName[];

/** Exact probability of each token, in double precision. */
export function distributionOf(
  logits: readonly number[],
  shaping: Shaping,
  situation: Situation,
  order: readonly RuleName[] = ORDER,
): number[] {
  return softmax(order.reduce<number[]>((edited, name) => RULES[name](edited, shaping, situation), [...logits]));
}

/** The order with the rule `late` put right before `early`. */
export function before(late: RuleName, early: RuleName): readonly RuleName[] {
  return ORDER.filter((name) => name !== late).flatMap((name) => (name === early ? [late, name] : [name]));
}
