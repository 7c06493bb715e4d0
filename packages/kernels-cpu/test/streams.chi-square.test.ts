import { choiceSeed, RESULT_WORDS } from '@kvasir/interfaces';
import { StepBuilder } from '@kvasir/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf } from './support/chi-square.js';
import { distributionOf } from './support/sampling-definition.js';
import {
  LAST,
  LOGITS,
  openTable,
  RANKED,
  rankAfter,
  SLOTS,
  type TableSession,
  TOO_ODD,
} from './support/table-session.js';

/** Draws are told apart by rank, and only three ranks are possible. */
const SAMPLING = { temperature: 1, topK: 3, ignoreEos: true, maxLength: 64 };
const PROBABILITIES = distributionOf(LOGITS[LAST]!, SAMPLING, { prompt: [LAST], output: [], ends: [] });

let table: TableSession;

beforeAll(async () => {
  table = await openTable(RANKED.at(-1)!);
});

afterAll(() => table[Symbol.asyncDispose]());

/** Chance of these triples of ranks if no member of a triple knows of another. */
function chanceOfTriples(triples: readonly (readonly number[])[]): number {
  expect(triples.flat().filter((rank) => rank < 0 || rank > 2)).toEqual([]);
  const counts = new Array<number>(27).fill(0);
  for (const [a, b, c] of triples as readonly [number, number, number][]) counts[9 * a + 3 * b + c]!++;
  const single = RANKED.slice(0, 3).map((id) => PROBABILITIES[id]!);
  const all = single.flatMap((a) => single.flatMap((b) => single.map((c) => a * b * c)));
  return chanceOf(counts, all);
}

describe('streams of the native step', () => {
  it('draw the tokens of one seed independently of each other', async () => {
    const said = Array.from({ length: SLOTS }, () => [LAST]);
    for (let i = 0; i < 60; i++) {
      const step = new StepBuilder(table.nextStepId());
      for (let slot = 0; slot < SLOTS; slot++) {
        if (i === 0) step.init({ ...SAMPLING, slot, seed: BigInt(slot), history: [LAST] });
        step.sampleRow(slot, 1);
      }
      const { outputs } = await table.session.step(step.build());
      for (let slot = 0; slot < SLOTS; slot++) said[slot]!.push(outputs[slot * RESULT_WORDS]!);
    }
    await table.releaseAll();
    const ranks = said.map((ids) => ids.slice(1).map((id, i) => rankAfter(ids[i]!, id)));
    const triples = ranks.flatMap((each) => Array.from({ length: 20 }, (_, i) => each.slice(3 * i, 3 * i + 3)));
    expect(chanceOfTriples(triples)).toBeGreaterThan(TOO_ODD);
  });

  it('draw the choices of one seed, and those of its neighbours, independently of each other', async () => {
    const { ofOne, ofNeighbours } = await drawChoices(choiceSeed);
    expect(chanceOfTriples(ofOne)).toBeGreaterThan(TOO_ODD);
    expect(chanceOfTriples(ofNeighbours)).toBeGreaterThan(TOO_ODD);
  });

  it('would not if choices shared the seed, or counted it up', async () => {
    const { ofOne } = await drawChoices((seed) => seed);
    expect(chanceOfTriples(ofOne)).toBeLessThan(TOO_ODD);
    const { ofNeighbours } = await drawChoices((seed, choice) => seed + BigInt(choice));
    expect(chanceOfTriples(ofNeighbours)).toBeLessThan(TOO_ODD);
  });
});

/** Ranks of the first tokens of choices 0, 1 and 2 of seeds that follow each other, as people take them. */
async function drawChoices(
  seedOf: typeof choiceSeed,
): Promise<{ readonly ofOne: number[][]; readonly ofNeighbours: number[][] }> {
  const ofOne: number[][] = [];
  for (let i = 0; i < 60; i++) {
    const step = new StepBuilder(table.nextStepId());
    for (let slot = 0; slot < SLOTS; slot += 3) {
      const seed = BigInt((i * SLOTS + slot) / 3);
      step.init({ ...SAMPLING, slot, seed, history: [LAST] }).row(slot, 1);
      for (const choice of [1, 2]) step.fork(slot, slot + choice, choice, seedOf(seed, choice));
      for (const choice of [0, 1, 2]) step.output(0, { slot: slot + choice });
    }
    const { outputs } = await table.session.step(step.build());
    const ranks = Array.from({ length: SLOTS }, (_, slot) => rankAfter(LAST, outputs[slot * RESULT_WORDS]!));
    for (let slot = 0; slot < SLOTS; slot += 3) ofOne.push(ranks.slice(slot, slot + 3));
    await table.releaseAll();
  }
  const ofNeighbours = ofOne.slice(1).map(([next], i) => [ofOne[i]![1]!, ofOne[i]![2]!, next!]);
  return { ofOne, ofNeighbours };
}
