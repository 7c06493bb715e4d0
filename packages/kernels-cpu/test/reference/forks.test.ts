import { InvalidStepError } from '@kvasir/kernels-cpu/reference';
import { StepBuilder } from '@kvasir/testing';
import { expect, it } from 'vitest';
import { openTiny, PLAIN_SPEC } from '../support/tiny-session.js';

const start = (step: StepBuilder, slot: number, history: readonly number[]) =>
  step
    .init({ slot, history, maxLength: 100, ignoreEos: true })
    .table(slot, 0, 0, [1 + 4 * slot, 2 + 4 * slot])
    .table(slot, 1, 0, [3 + 4 * slot, 4 + 4 * slot]);

it.each([
  ['the fork', 1],
  ['its source', 0],
])('a row samples for no fork when %s was started anew in the same step', async (_, again) => {
  await using tiny = await openTiny(PLAIN_SPEC, { backend: 'reference' });
  await tiny.session.step(start(new StepBuilder(1), 0, [2, 3, 4]).row(0, 2).build());
  const step = start(new StepBuilder(2).fork(0, 1, 1, 5n).release(again), again, [5, 6, 7]);
  const last = again === 0 ? 2 : 0;
  step
    .row(0, last + 1)
    .output(last)
    .output(last, { slot: 1 });
  await expect(tiny.session.step(step.build())).rejects.toThrow(InvalidStepError);
  await expect(tiny.session.step(step.build())).rejects.toThrow(/slot 1, expected the row's slot or a fork of it/);
});
