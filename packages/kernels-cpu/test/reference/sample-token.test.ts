import { describe, expect, it } from 'vitest';
import { logSoftmax, rankTokens, type SampledSlot, type SlotSampling, sampleToken } from '../../src/reference/index.js';

const sampling: SlotSampling = {
  seed: 1n,
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
  allowedIds: [],
  badWords: [],
  stopIds: [],
  ignoreEos: true,
  minLength: 0,
  maxLength: 1 << 20,
};

function slot(options: Partial<SlotSampling>, history: readonly number[] = [], promptLength = 0): SampledSlot {
  return { sampling: { ...sampling, ...options }, history: [...history], promptLength };
}

/** A slot whose next token has the noise of `position`. */
const at = (options: Partial<SlotSampling>, position: number) => slot(options, new Array(position).fill(0), position);

describe('sampleToken', () => {
  const logits = Float64Array.from([0.5, 0.2, 0.15, 0.1, 0.05], Math.log);

  it('takes the best at temperature 0, the lowest id among equals', () => {
    expect(sampleToken(new Float64Array([1, 3, 3]), slot({ temperature: 0 }), [])).toBe(1);
    expect(rankTokens(new Float64Array([1, 3, 3]))).toEqual([1, 2, 0]);
  });

  it('never takes EOS or a stop token before the minimum length', () => {
    expect(sampleToken(logits, slot({ temperature: 0, minLength: 1, stopIds: [1] }), [0])).toBe(2);
  });

  it.each([
    [{ topK: 2 }, [0, 1]],
    [{ topP: 0.5 }, [0]],
    [{ topP: 0.69 }, [0, 1]],
    [{ topP: 0.71 }, [0, 1, 2]],
    [{ topK: 3, topP: 0.8 }, [0, 1]],
    [{}, [0, 1, 2, 3, 4]],
  ])('keeps %o to the tokens %o', (options, kept) => {
    const seen = new Set<number>();
    for (let position = 0; position < 2000; position++) {
      seen.add(sampleToken(logits, at(options, position), []));
    }
    expect([...seen].sort()).toEqual(kept);
  });

  it('follows the distribution at its temperature', () => {
    const counts = [0, 0, 0, 0, 0];
    const numDraws = 8000;
    for (let position = 0; position < numDraws; position++) {
      counts[sampleToken(logits, at({ temperature: 2 }, position), [])]!++;
    }
    const scaled = logSoftmax(logits.map((logit) => logit / 2)).map(Math.exp);
    const chiSquare = counts.reduce(
      (sum, count, i) => sum + (count - numDraws * scaled[i]!) ** 2 / (numDraws * scaled[i]!),
      0,
    );
    // 99.9th percentile with 4 degrees of freedom; the draws are fixed.
    expect(chiSquare).toBeLessThan(18.47);
  });
});
