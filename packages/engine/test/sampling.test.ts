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
      minP: 0,
      typicalP: 1,
      repetitionPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: new Map(),
      allowedTokenIds: undefined,
      badWords: [],
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

  it('takes biases by map or by name, held to 100 either way, and allowed ids once each', () => {
    const sampling = completeSampling({ logitBias: { 7: 200, 8: -0.5 }, allowedTokenIds: [3, 3, 1] }, () => 0n);
    expect(sampling).toMatchObject({ allowedTokenIds: [3, 1] });
    expect(sampling.logitBias).toEqual(
      new Map([
        [7, 100],
        [8, -0.5],
      ]),
    );
  });

  it('keeps what is above 0 above 0 in float32', () => {
    const sampling = completeSampling({ topP: 1e-60, typicalP: 1e-60, repetitionPenalty: 1e-60 }, () => 0n);
    for (const value of [sampling.topP, sampling.typicalP, sampling.repetitionPenalty]) {
      expect(Math.fround(value)).toBeGreaterThan(0);
    }
  });

  it.each<[SamplingOptions, string]>([
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.5 }, 'topP'],
    [{ topK: -2 }, 'topK'],
    [{ topK: 1.5 }, 'topK'],
    [{ temperature: 1e39 }, 'temperature'],
    [{ minP: 1.1 }, 'minP'],
    [{ typicalP: 0 }, 'typicalP'],
    [{ repetitionPenalty: 0 }, 'repetitionPenalty'],
    [{ repetitionPenalty: -1 }, 'repetitionPenalty'],
    [{ presencePenalty: 2.1 }, 'presencePenalty'],
    [{ frequencyPenalty: Number.NaN }, 'frequencyPenalty'],
    [{ logitBias: { x: 1 } }, 'logitBias'],
    [{ logitBias: new Map([[-1, 1]]) }, 'logitBias'],
    [{ logitBias: { 3: Number.NaN } }, 'logitBias'],
    [{ logitBias: new Map(Array.from({ length: 2049 }, (_, id) => [id, 1])) }, 'logitBias'],
    [{ allowedTokenIds: [] }, 'allowedTokenIds'],
    [{ allowedTokenIds: [0.5] }, 'allowedTokenIds'],
    [{ badWords: [[]] }, 'badWords'],
    [{ badWords: [[-3]] }, 'badWords'],
    [{ badWords: [new Array(8192).fill(1)] }, 'badWords'],
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
