import { RESULT_WORDS } from '@kvasir/interfaces';
import { StepBuilder } from '@kvasir/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf } from './support/chi-square.js';
import { before, distributionOf, type RuleName, type Shaping, type Situation } from './support/sampling-definition.js';
import { LAST, LOGITS, openTable, RANKED, SLOTS, type TableSession, TOO_ODD, VOCAB } from './support/table-session.js';

const STEPS = 60;
const LOGITS_NOW = LOGITS[LAST]!;
const [BEST, SECOND, THIRD, FOURTH, EOS, STOP] = RANKED as [number, number, number, number, number, number];
const LOW = RANKED[20]!;

const NOW: Situation = {
  prompt: [SECOND, THIRD, LOW],
  output: [BEST, FOURTH, BEST, BEST, LOW, LAST],
  ends: [EOS, STOP],
};

let table: TableSession;

beforeAll(async () => {
  table = await openTable(EOS);
});

afterAll(() => table[Symbol.asyncDispose]());

/** Counts of the token after {@link NOW}: each draw has a seed of its own, and eight positions take turns. */
async function draw({ minTokens = 0, ...shaping }: Shaping): Promise<number[]> {
  const counts = new Array<number>(VOCAB).fill(0);
  for (let i = 0; i < STEPS; i++) {
    const step = new StepBuilder(table.nextStepId());
    for (let slot = 0; slot < SLOTS; slot++) {
      // A longer prompt of the same tokens changes the position and nothing else.
      const prompt = [...new Array<number>(slot % 8).fill(SECOND), ...NOW.prompt];
      step.init({
        temperature: 1,
        ...shaping,
        slot,
        seed: BigInt(i * SLOTS + slot),
        history: [...prompt, ...NOW.output],
        numComputed: prompt.length + NOW.output.length - 1,
        promptLength: prompt.length,
        minLength: prompt.length + minTokens,
        maxLength: table.options.maxModelLen,
        stopIds: NOW.ends.slice(1),
        ignoreEos: true,
      });
      step.sampleRow(slot, 1);
    }
    const { outputs } = await table.session.step(step.build());
    for (let slot = 0; slot < SLOTS; slot++) counts[outputs[slot * RESULT_WORDS]!]!++;
    await table.releaseAll();
  }
  return counts;
}

/** With a repetition penalty of 2.5, which multiplies negative logits, these biases leave them divided by it. */
const DIVIDED_BY_2_5: ReadonlyMap<number, number> = new Map(
  [LOW, LAST].filter((id) => LOGITS_NOW[id]! < 0).map((id) => [id, LOGITS_NOW[id]! * (2.5 ** -2 - 1)]),
);

/** A definition that the draws must not fit: other parameters, another history or another order of the rules. */
interface Wrong {
  readonly shaping?: Shaping;
  readonly now?: Partial<Situation>;
  readonly order?: readonly RuleName[];
}

const after = (output: readonly number[]): Wrong => ({ now: { output } });

const CASES: readonly [name: string, Shaping, Record<string, Wrong>][] = [
  ['no rule', {}, { 'some temperature': { shaping: { temperature: 1.25 } } }],
  ['temperature', { temperature: 0.7 }, { 'a multiplied one': { shaping: { temperature: 1 / 0.7 } } }],
  ['top_k', { topK: 6 }, { 'one less': { shaping: { topK: 5 } }, 'one more': { shaping: { topK: 7 } } }],
  [
    'top_p',
    { topP: 0.7 },
    { 'without the token that crosses it': { shaping: { topP: 0.62 } }, 'one more': { shaping: { topP: 0.78 } } },
  ],
  ['min_p', { minP: 0.2 }, { 'of all instead of the best': { shaping: { minP: 0.9 } } }],
  ['typical_p', { typicalP: 0.5 }, { 'the likeliest': { shaping: { topP: 0.5 } } }],
  [
    'repetition_penalty',
    { repetitionPenalty: 2.5 },
    {
      'of the output alone': { now: { prompt: [] } },
      'of the prompt alone': after([]),
      'that divides negative logits too': { shaping: { repetitionPenalty: 2.5, logitBias: DIVIDED_BY_2_5 } },
    },
  ],
  [
    'presence_penalty',
    { presencePenalty: 0.7 },
    {
      'of the prompt too': after([...NOW.prompt, ...NOW.output]),
      'for each time': { shaping: { frequencyPenalty: 0.7 } },
    },
  ],
  [
    'frequency_penalty',
    { frequencyPenalty: 0.4 },
    { 'of the prompt too': after([...NOW.prompt, ...NOW.output]), once: { shaping: { presencePenalty: 0.4 } } },
  ],
  ['a reward', { presencePenalty: -0.5, frequencyPenalty: -0.3 }, { none: { shaping: {} } }],
  [
    'logit_bias',
    {
      logitBias: new Map([
        [THIRD, 1.5],
        [BEST, -2],
        [RANKED[22]!, 4],
      ]),
    },
    {
      none: { shaping: {} },
      'in part': {
        shaping: {
          logitBias: new Map([
            [THIRD, 1.5],
            [BEST, -2],
          ]),
        },
      },
    },
  ],
  [
    'allowed_token_ids',
    { allowedTokenIds: [SECOND, EOS, RANKED[9]!, RANKED[15]!] },
    { 'one less': { shaping: { allowedTokenIds: [SECOND, EOS, RANKED[9]!] } } },
  ],
  [
    'bad_words',
    { badWords: [[LOW, LAST, BEST], [BEST, SECOND], [THIRD]] },
    { 'by their last token': { shaping: { badWords: [[BEST], [SECOND], [THIRD]] } }, none: { shaping: {} } },
  ],
  ['min_tokens not reached', { minTokens: 7 }, { 'one token earlier': { shaping: { minTokens: 6 } } }],
  ['min_tokens reached', { minTokens: 6 }, { 'one token later': { shaping: { minTokens: 7 } } }],
  [
    'temperature and min_p',
    { temperature: 2.2, minP: 0.25 },
    { 'min_p first': { order: before('minP', 'temperature') } },
  ],
  [
    'temperature and top_p',
    { temperature: 1.8, topP: 0.6 },
    { 'top_p first': { order: before('topP', 'temperature') } },
  ],
  ['min_p and top_p', { minP: 0.35, topP: 0.8 }, { 'top_p first': { order: before('topP', 'minP') } }],
  ['top_k and top_p', { topK: 7, topP: 0.75 }, { 'top_p first': { order: before('topP', 'topK') } }],
  ['top_p and typical_p', { topP: 0.8, typicalP: 0.5 }, { 'typical_p first': { order: before('typicalP', 'topP') } }],
  [
    'logit_bias and repetition_penalty',
    {
      logitBias: new Map([
        [BEST, 1.5],
        [LOW, 3],
      ]),
      repetitionPenalty: 2,
    },
    { 'the penalty first': { order: before('repetition', 'bias') } },
  ],
  [
    'repetition, presence and frequency',
    { repetitionPenalty: 2, presencePenalty: 1, frequencyPenalty: 0.3 },
    { 'repetition last': { order: before('repetition', 'temperature') } },
  ],
  [
    'temperature and penalties',
    { temperature: 0.6, presencePenalty: 0.8, frequencyPenalty: 0.4 },
    {
      'temperature before presence': { order: before('temperature', 'presence') },
      'temperature before frequency': { order: before('temperature', 'frequency') },
    },
  ],
  [
    'temperature and logit_bias',
    { temperature: 0.6, logitBias: new Map([[THIRD, 1.2]]) },
    { 'temperature first': { order: before('temperature', 'bias') } },
  ],
];

/** With top-k the kernel goes another way: through a list of the best instead of all logits. */
const CASES_OF_BEST: typeof CASES = CASES.filter(
  ([, { temperature, minP, topP, typicalP, topK }]) =>
    topK === undefined && [temperature, minP, topP, typicalP].some((value) => value !== undefined),
).map(([name, shaping, wrongs]) => {
  const ofBest = (each: Shaping) => ({ ...each, topK: 20 });
  const others = Object.entries(wrongs).map(([other, wrong]): [string, Wrong] => [
    other,
    { ...wrong, shaping: ofBest(wrong.shaping ?? shaping) },
  ]);
  return [`${name}, of the best`, ofBest(shaping), Object.fromEntries(others)];
});

const MIXES: readonly Shaping[] = [
  {
    temperature: 1.6,
    minP: 0.15,
    topP: 0.75,
    typicalP: 0.85,
    repetitionPenalty: 1.3,
    presencePenalty: 0.9,
    frequencyPenalty: 0.3,
    logitBias: new Map([
      [SECOND, 0.6],
      [RANKED[9]!, 1.5],
    ]),
    allowedTokenIds: RANKED.filter((_, rank) => rank < 6 || rank > 8),
    badWords: [[LAST, THIRD]],
    minTokens: 7,
  },
  {
    temperature: 1.6,
    topK: 7,
    topP: 0.85,
    typicalP: 0.75,
    repetitionPenalty: 1.5,
    presencePenalty: -0.5,
    frequencyPenalty: 0.3,
    logitBias: new Map([
      [SECOND, -1],
      [RANKED[9]!, 0.8],
    ]),
    allowedTokenIds: RANKED.filter((_, rank) => rank < 6 || rank > 8),
    badWords: [[LAST, THIRD]],
    minTokens: 7,
  },
];

/** Neighbours in the order that do not commute. */
const ORDERS: readonly (readonly [RuleName, RuleName])[] = [
  ['repetition', 'bias'],
  ['temperature', 'presence'],
  ['typicalP', 'topP'],
];

describe('draws of the native step', () => {
  it.each([...CASES, ...CASES_OF_BEST])(
    '%s: fit the exact distribution and no wrong one',
    async (_, shaping, wrongs) => {
      const counts = await draw(shaping);
      expect(chanceOf(counts, distributionOf(LOGITS_NOW, shaping, NOW))).toBeGreaterThan(TOO_ODD);
      for (const [name, wrong] of Object.entries(wrongs)) {
        const other = distributionOf(LOGITS_NOW, wrong.shaping ?? shaping, { ...NOW, ...wrong.now }, wrong.order);
        expect(chanceOf(counts, other), name).toBeLessThan(TOO_ODD);
      }
    },
  );

  // Of min-p and top-k only the stricter shows, so that no mix can need both.
  it.each(MIXES)('all rules at once: fit, and need each of them and their order', async (shaping) => {
    const counts = await draw(shaping);
    expect(chanceOf(counts, distributionOf(LOGITS_NOW, shaping, NOW))).toBeGreaterThan(TOO_ODD);
    for (const name of Object.keys(shaping) as (keyof Shaping)[]) {
      const { [name]: _, ...others } = shaping;
      expect(chanceOf(counts, distributionOf(LOGITS_NOW, others, NOW)), name).toBeLessThan(TOO_ODD);
    }
    for (const [late, early] of ORDERS) {
      const wrong = distributionOf(LOGITS_NOW, shaping, NOW, before(late, early));
      expect(chanceOf(counts, wrong), `${late} before ${early}`).toBeLessThan(TOO_ODD);
    }
  });
});
