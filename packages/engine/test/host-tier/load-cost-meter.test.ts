import { describe, expect, it } from 'vitest';
import { LoadCostMeter, measureCopyMs } from '../../src/host-tier/load-cost-meter.js';
import type { StepRecord } from '../../src/index.js';

function step(numTokens: number, computeMs: number, numLoadedBlocks = 0): StepRecord {
  const rest = { stepId: 1, numRows: 1, numOutputs: 1, numStoredBlocks: 0, elapsedMs: computeMs };
  return { ...rest, numTokens, computeMs, numLoadedBlocks };
}

describe('what loading costs against computing', () => {
  it('is worth it until something was measured, then when the blocks take less than their tokens', () => {
    const meter = new LoadCostMeter(0.5);
    expect(meter.isWorthLoading(16, 1)).toBe(true);
    meter.onStep(step(100, 10));
    expect(meter.costs).toEqual({ msPerToken: 0.1, msPerBlock: 0.5 });
    expect(meter.isWorthLoading(16, 1)).toBe(true);
    expect(meter.isWorthLoading(16, 4)).toBe(false);
  });

  it('learns what loads take from what steps with loads take beyond their tokens', () => {
    const meter = new LoadCostMeter(0.01);
    meter.onStep(step(100, 10));
    // 20 tokens take 2 ms, so 10 blocks took 30.
    for (let i = 0; i < 100; i++) meter.onStep(step(20, 32, 10));
    expect(meter.costs.msPerBlock).toBeCloseTo(3, 2);
    expect(meter.isWorthLoading(16, 1)).toBe(false);
    for (let i = 0; i < 100; i++) meter.onStep(step(20, 2, 10));
    expect(meter.isWorthLoading(16, 1)).toBe(true);
  });

  it('does not take the cost of a step for the cost of a token', () => {
    const meter = new LoadCostMeter(0.5);
    meter.onStep(step(1, 9));
    expect(meter.costs.msPerToken).toBe(Number.POSITIVE_INFINITY);
  });

  it('starts at what a copy takes here', () => {
    const small = measureCopyMs(1000);
    expect(small).toBeGreaterThan(0);
    expect(small).toBeLessThan(measureCopyMs(8 * 2 ** 20));
  });
});
