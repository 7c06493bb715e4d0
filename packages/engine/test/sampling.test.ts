import { describe, expect, it } from 'vitest';
import { completeSampling, type SamplingOptions } from '../src/index.js';

describe('completeSampling', () => {
  it("fills in vLLM's defaults and draws a seed only when there is none", () => {
    let numDrawn = 0;
    const draw = () => BigInt(++numDrawn);
    expect(completeSampling({}, draw)).toEqual({
      temperature: 1,
      topP: 1,
      topK: 0,
      seed: 1n,
      maxTokens: 16,
      minTokens: 0,
      stop: [],
      stopTokenIds: [],
      ignoreEos: false,
      logprobs: undefined,
      promptLogprobs: undefined,
    });
    expect(completeSampling({ seed: 9 }, draw).seed).toBe(9n);
    expect(numDrawn).toBe(1);
  });

  it('takes tiny temperatures as greedy, topK -1 as off, one stop string as a list, negative seeds as bits', () => {
    const sampling = completeSampling({ temperature: 1e-6, topK: -1, stop: 'x', seed: -1n }, () => 0n);
    expect(sampling).toMatchObject({ temperature: 0, topK: 0, stop: ['x'], seed: (1n << 64n) - 1n });
  });

  it.each<[SamplingOptions, string]>([
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.5 }, 'topP'],
    [{ topK: -2 }, 'topK'],
    [{ topK: 1.5 }, 'topK'],
    [{ seed: 0.5 }, 'seed'],
    [{ seed: 1n << 64n }, 'seed'],
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxTokens: 4, minTokens: 5 }, 'minTokens'],
    [{ stop: ['a', ''] }, 'stop'],
    [{ stopTokenIds: [-1] }, 'stopTokenIds'],
    [{ logprobs: -1 }, 'logprobs'],
    [{ promptLogprobs: 0.5 }, 'promptLogprobs'],
    [{ max_tokens: 5 } as SamplingOptions, 'max_tokens'],
  ])('refuses %o, naming %s', (options, parameter) => {
    expect(() => completeSampling(options, () => 0n)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', parameter }),
    );
  });
});
