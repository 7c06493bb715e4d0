import { InvalidArgumentError } from '@kvasir/interfaces';
import {
  agentTrace,
  burstyArrivals,
  chatTrace,
  createTrace,
  poissonArrivals,
  Random,
  readMooncakeTrace,
} from '@kvasir/scheduler/simulate';
import { describe, expect, it } from 'vitest';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('arrivals', () => {
  it.each([
    ['poisson', poissonArrivals(50), 1],
    ['bursty', burstyArrivals(50, 3), 3],
    ['even', burstyArrivals(50, 0.3), 0.3],
  ])('%s has its rate and its variation', (_, arrivals, variation) => {
    const random = new Random(9);
    const gaps = Array.from({ length: 40_000 }, () => arrivals(random));
    const average = mean(gaps);
    expect(average / 20).toBeGreaterThan(0.93);
    expect(average / 20).toBeLessThan(1.07);
    const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - average) ** 2)));
    expect(deviation / average / variation).toBeGreaterThan(0.9);
    expect(deviation / average / variation).toBeLessThan(1.1);
  });

  it('refuses rates that cannot be', () => {
    expect(() => poissonArrivals(0)).toThrow(/perSecond is 0: expected a rate above 0/);
    expect(() => burstyArrivals(1, Number.NaN)).toThrow(InvalidArgumentError);
  });
});

describe('chatTrace', () => {
  it('has ShareGPT-like means and tails, and spreads tenants', () => {
    const trace = chatTrace({ numRequests: 4000, arrivals: poissonArrivals(10), seed: 2, tenants: ['a', 'b'] });
    const prompts = trace.map(({ promptTokenIds }) => promptTokenIds.length);
    const outputs = trace.map(({ outputTokenIds }) => outputTokenIds.length);
    // Cutting at 1,024 takes a little off the means of 161 and 338.
    expect(mean(prompts)).toBeGreaterThan(130);
    expect(mean(prompts)).toBeLessThan(175);
    expect(mean(outputs)).toBeGreaterThan(290);
    expect(mean(outputs)).toBeLessThan(350);
    expect(Math.max(...prompts)).toBeGreaterThan(5 * mean(prompts));
    expect(trace.filter(({ tenant }) => tenant === 'a')).toHaveLength(2000);
  });
});

describe('agentTrace', () => {
  it('sends the whole history again each turn', () => {
    const trace = agentTrace({ numSessions: 4, numAgents: 2, arrivals: poissonArrivals(1), seed: 1 });
    const later = trace.filter(({ promptTokenIds }) => promptTokenIds.length > 2500);
    expect(later.length).toBeGreaterThan(0);
    for (const { promptTokenIds, arrivalMs } of later) {
      const earlier = trace.filter((each) => each.arrivalMs < arrivalMs);
      const isContinued = earlier.some(({ promptTokenIds: prompt, outputTokenIds: output }) =>
        [...prompt, ...output].every((id, i) => promptTokenIds[i] === id),
      );
      expect(isContinued).toBe(true);
    }
  });
});

describe('readMooncakeTrace', () => {
  const line = (fields: object) => JSON.stringify({ timestamp: 0, input_length: 1100, output_length: 5, ...fields });

  it('gives equal tokens to equal hash ids, and others to the rest', () => {
    const text = [line({ hash_ids: [1, 2, 3] }), line({ timestamp: 30, hash_ids: [1, 2, 4] }), ''].join('\n');
    const [first, second] = readMooncakeTrace(text) as [
      ReturnType<typeof createTrace>[0],
      ReturnType<typeof createTrace>[0],
    ];
    const same = first.promptTokenIds.findIndex((id, i) => id !== second.promptTokenIds[i]);
    expect(same).toBe(1024);
    expect([first.promptTokenIds.length, first.outputTokenIds.length, second.arrivalMs]).toEqual([1100, 5, 30]);
  });

  it('shrinks lengths and keeps the sharing', () => {
    const text = [line({ hash_ids: [1, 2, 3] }), line({ hash_ids: [1, 2, 4] })].join('\n');
    const [first, second] = readMooncakeTrace(text, { lengthDivisor: 10, timeFactor: 2 });
    expect(first?.promptTokenIds.length).toBe(110);
    const same = first?.promptTokenIds.findIndex((id, i) => id !== second?.promptTokenIds[i]);
    expect(same).toBe(102);
  });

  it.each([
    ['{', /line 1 of the trace is not JSON/],
    ['3', /line 1 of the trace is not an object/],
    [line({ input_length: 'x' }), /line 1 of the trace has "x" as input_length/],
    [line({ hash_ids: [1.5] }), /has no list of hash_ids/],
    ['', /the trace has no requests/],
  ])('refuses %s', (text, message) => {
    expect(() => readMooncakeTrace(text)).toThrow(message);
  });
});

it('createTrace sorts and refuses what cannot be served', () => {
  const one = { promptTokenIds: new Int32Array(1), outputTokenIds: new Int32Array(1) };
  expect(
    createTrace([
      { ...one, arrivalMs: 2 },
      { ...one, arrivalMs: 1 },
    ]).map(({ arrivalMs }) => arrivalMs),
  ).toEqual([1, 2]);
  expect(() => createTrace([{ ...one, arrivalMs: -1 }])).toThrow(/arrives at -1 ms/);
  expect(() => createTrace([{ ...one, arrivalMs: 0, outputTokenIds: new Int32Array(0) }])).toThrow(/0 output tokens/);
});
