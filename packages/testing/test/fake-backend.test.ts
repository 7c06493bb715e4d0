import type { SessionOptions, StepResult } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import {
  createFakeBackend,
  createFakeProgram,
  type FakeBackendOptions,
  goldenDivergence,
  StepBuilder,
} from '../src/index.js';

const options: SessionOptions = {
  programs: [createFakeProgram({ vocabSize: 8 })],
  mode: 'float32',
  kvCacheDtype: 'auto',
  blockSize: 4,
  numBlocks: 8,
  maxSlots: 2,
  maxModelLen: 16,
  maxTokensPerStep: 16,
  maxOutputsPerStep: 16,
  maxTopLogprobs: 0,
  maxInFlight: 2,
  eosTokenIds: [],
};

function open(backend: FakeBackendOptions = {}) {
  return createFakeBackend(backend).openSession(options);
}

function first(): StepBuilder {
  return new StepBuilder(1)
    .init({ slot: 0, history: [1, 2], maxLength: 9 })
    .table(0, 0, 0, [1])
    .sampleRow(0, 2);
}

describe('the fake backend', () => {
  it('runs steps when its gate says so, in order', async () => {
    const waiting: (() => void)[] = [];
    const gate = (_stepId: number, work: () => StepResult) =>
      new Promise<StepResult>((resolve) => waiting.push(() => resolve(work())));
    const session = await open({ gate });
    const order: number[] = [];
    const one = session.step(first().build()).then(({ stepId }) => order.push(stepId));
    const two = session.step(new StepBuilder(2).sampleRow(0, 1).build()).then(({ stepId }) => order.push(stepId));
    await Promise.resolve();
    expect(waiting).toHaveLength(1);
    waiting.shift()?.();
    await one;
    waiting.shift()?.();
    await two;
    expect(order).toEqual([1, 2]);
  });

  it('refuses more steps than may be in flight, and any after close', async () => {
    const session = await open();
    const steps = [session.step(first().build()), session.step(new StepBuilder(2).sampleRow(0, 1).build())];
    await expect(session.step(new StepBuilder(3).build())).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
    await Promise.all(steps);
    await session.close();
    await expect(session.step(new StepBuilder(4).build())).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
  });

  it('notices a batch that changes while its step is in flight', async () => {
    const session = await open();
    const batch = first().build();
    const step = session.step(batch);
    batch.words[batch.numWords - 1]!++;
    await expect(step).rejects.toMatchObject({ code: 'ERR_INVARIANT' });
  });

  it('fails the steps that it is told to, and publishes nothing of them', async () => {
    const session = await open({ fails: (stepId) => stepId === 1 });
    await expect(session.step(first().build())).rejects.toMatchObject({ code: 'ERR_DEVICE' });
    expect(session.numSlots).toBe(0);
  });
});

describe('goldenDivergence', () => {
  it('is 0 between equal distributions, and the textbook value between others', () => {
    const golden = [
      [0, Math.log(0.5)],
      [1, Math.log(0.25)],
    ] as const;
    expect(goldenDivergence(golden, (id) => Math.log([0.5, 0.25][id]!))).toBeCloseTo(0, 12);
    const expected = 0.5 * Math.log(0.5 / 0.25) + 0.25 * Math.log(0.25 / 0.5) + 0.25 * Math.log(0.25 / 0.25);
    expect(goldenDivergence(golden, (id) => Math.log([0.25, 0.5][id]!))).toBeCloseTo(expected, 12);
  });
});
