import type { LLM, LoadOptions, SamplingOptions } from '@kvasir/engine';
import { readGoldens } from '@kvasir/testing';
import { loadRealModel } from './real-model.js';

/** One request of the property: its tokens must be the same wherever it runs. */
export interface Case {
  readonly prompt: readonly number[];
  readonly params: SamplingOptions;
}

/** What is compared, to the bit. */
export interface Trace {
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly number[];
}

/** Random requests: real text and random ids, short and long, greedy and sampled with a seed. */
export function randomCases(model: 'smollm2' | 'gemma3', count: number, random: () => number): Case[] {
  const texts = readGoldens(model).score.map((score) => score.ids);
  const integer = (low: number, high: number) => low + Math.floor(random() * (high - low));
  return Array.from({ length: count }, () => {
    const text = texts[integer(0, texts.length)] ?? [];
    const isText = random() < 0.6;
    const length = random() < 0.2 ? integer(1, 4) : integer(4, 100);
    const prompt = isText ? text.slice(0, length) : Array.from({ length }, () => integer(10, 40_000));
    const sampled = {
      temperature: 0.5 + random(),
      topK: [0, 5, 40][integer(0, 3)],
      topP: [1, 0.9, 0.5][integer(0, 3)],
    };
    const params = random() < 0.5 ? { temperature: 0 } : { ...sampled, seed: integer(0, 2 ** 31) };
    const penalties = {
      repetitionPenalty: [1, 1.2][integer(0, 2)],
      presencePenalty: [0, 0.6][integer(0, 2)],
      frequencyPenalty: [0, -0.2][integer(0, 2)],
    };
    const rules = {
      minP: [0, 0.02][integer(0, 2)],
      typicalP: [1, 0.8][integer(0, 2)],
      logitBias: new Map(prompt.slice(0, integer(0, 4)).map((id) => [id, 2 * random() - 1])),
      badWords: random() < 0.5 ? [] : [[prompt[0]!], prompt.slice(0, 2)],
      allowedTokenIds: random() < 0.8 ? undefined : Array.from({ length: 2000 }, () => integer(10, 40_000)),
    };
    const extras = random() < 0.5 ? {} : { ...penalties, ...rules };
    return { prompt, params: { ...params, ...extras, maxTokens: integer(4, 20), ignoreEos: true, logprobs: 3 } };
  });
}

/** Requests that start small and grow: together they outgrow a pool that admits them all. */
export function growingCases(count: number, random: () => number): Case[] {
  return Array.from({ length: count }, (_, index) => ({
    prompt: Array.from({ length: 18 + index }, () => 10 + Math.floor(random() * 40_000)),
    params: { temperature: index % 2, topK: 40, seed: index, maxTokens: 44, ignoreEos: true, logprobs: 3 },
  }));
}

/** Runs one case on a loaded model. */
async function trace(llm: LLM, { prompt, params }: Case): Promise<Trace> {
  const tokenIds: number[] = [];
  const logprobs: number[] = [];
  for await (const delta of llm.stream(prompt, params)) {
    tokenIds.push(...delta.tokenIds);
    for (const position of delta.logprobs ?? [])
      logprobs.push(position.chosen.logprob, ...position.top.map((top) => top.logprob));
  }
  return { tokenIds, logprobs };
}

/** Runs cases one after the other. */
export async function traceAlone(llm: LLM, cases: readonly Case[]): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const each of cases) traces.push(await trace(llm, each));
  return traces;
}

/** Runs cases all at once, among `others` whose output nobody looks at. */
export async function traceTogether(llm: LLM, cases: readonly Case[], others: readonly Case[]): Promise<Trace[]> {
  const noise = others.map((each) => trace(llm, each));
  const traces = await Promise.all(cases.map((each) => trace(llm, each)));
  await Promise.all(noise);
  return traces;
}

/** Loads the model with `options`, uses it, and closes it. */
export async function withModel<T>(
  model: 'smollm2' | 'gemma3',
  options: Partial<LoadOptions>,
  use: (llm: LLM) => Promise<T>,
): Promise<T> {
  const llm = await loadRealModel(model, { maxModelLen: 256, ...options });
  try {
    return await use(llm);
  } finally {
    await llm.close();
  }
}
