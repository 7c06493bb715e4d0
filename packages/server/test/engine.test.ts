import { type Engine, LLM } from '@kvasir/engine';
import { byteTokenizerSource, createFakeBackend, createFakeProgram } from '@kvasir/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createServer, type KvasirServer, type ServedModel } from '../src/index.js';
import { type Json, jsonOf, post, postOk, readEvents, until } from './support/client.js';

type ModelDescription = Exclude<Parameters<typeof LLM.load>[0]['model'], string>;

const EOS = 256;

/** The fake backend under a real engine and tokenizer. */
function tinyModel(): ModelDescription {
  return {
    name: 'tiny',
    architecture: 'fake',
    format: 'gguf',
    program: createFakeProgram({ vocabSize: EOS + 1, maxPositions: 256 }),
    tokenizer: byteTokenizerSource(),
    chatTemplate: "{% for message in messages %}{{ message['role'] }}:{{ message['content'] }};{% endfor %}",
    generation: { eosTokenIds: [EOS], sampling: {} },
    maxPositions: 256,
    parameterCount: 0,
    weightBytes: 0,
    sizeBytes: 0,
    files: [],
    unusedTensors: [],
  };
}

const messages = [{ role: 'user', content: 'hi' }];
let llm: LLM;
let server: KvasirServer;
let url: string;
let fails: (stepId: number) => boolean;

beforeEach(async () => {
  fails = () => false;
  const backend = createFakeBackend({ fails: (stepId) => fails(stepId) });
  llm = await LLM.load({ model: tinyModel(), backend, maxNumSeqs: 4, availableMemoryBytes: () => 2 ** 30 });
  server = createServer(llm);
  ({ url } = await server.listen({ port: 0 }));
});

afterEach(async () => {
  await server.close({ drainTimeoutMs: 0 });
  await llm.close();
});

/** Nothing runs and no block is held. */
async function expectIdle(engine: Engine): Promise<void> {
  await until(() => engine.stats().numFreeBlocks === engine.stats().numBlocks);
  const { numRunning, numWaiting } = engine.stats();
  expect({ numRunning, numWaiting, numUnfinished: engine.numUnfinished }).toEqual({
    numRunning: 0,
    numWaiting: 0,
    numUnfinished: 0,
  });
  engine.checkIntegrity();
}

describe('a server over a real engine', () => {
  test('an LLM is a served model', () => {
    const model: ServedModel = llm;
    expect(model.name).toBe('tiny');
  });

  test('answers what the library answers, whole and streamed, for the same seed', async () => {
    const [expected] = await llm.generate('hello', { seed: 7, maxTokens: 30 });
    const body = { prompt: 'hello', seed: 7, max_tokens: 30, return_token_ids: true };
    const whole = await postOk(`${url}/v1/completions`, body);
    expect(whole.choices[0]).toMatchObject({ text: expected!.text, token_ids: expected!.tokenIds });
    const events = await readEvents(await post(`${url}/v1/completions`, { ...body, stream: true }));
    expect(events.map((event) => event.choices[0].text).join('')).toBe(expected!.text);
    expect(events.flatMap((event) => event.choices[0].token_ids)).toEqual(expected!.tokenIds);
    await expectIdle(llm.engine);
  });

  test('a seed that was drawn and reported gives the same answer again', async () => {
    const response = await post(`${url}/v1/chat/completions`, { messages, max_tokens: 20 });
    const seed = Number(response.headers.get('x-kvasir-seed'));
    const first = (await jsonOf(response)).choices[0].message;
    const again = await postOk(`${url}/v1/chat/completions`, { messages, max_tokens: 20, seed });
    expect(again.choices[0].message).toEqual(first);
  });

  test('log-probabilities of prompt and output are those of the engine', async () => {
    const body = {
      prompt: 'ab',
      seed: 1,
      max_tokens: 3,
      logprobs: 2,
      prompt_logprobs: 1,
      echo: true,
      ignore_eos: true,
    };
    const [choice] = (await postOk(`${url}/v1/completions`, body)).choices;
    const [expected] = await llm.generate('ab', {
      seed: 1n,
      maxTokens: 3,
      logprobs: 2,
      promptLogprobs: 1,
      ignoreEos: true,
    });
    expect(choice.logprobs.token_logprobs).toEqual([
      null,
      expected!.promptLogprobs![1]!.chosen.logprob,
      ...expected!.logprobs!.map(({ chosen }) => chosen.logprob),
    ]);
    expect(Object.keys(choice.prompt_logprobs[1])).toContain(String('b'.charCodeAt(0)));
  });

  test.each([
    ['several choices', { n: 3, prompt: ['ab', 'cd'] }, 6],
    ['the best of several', { n: 2, best_of: 4 }, 2],
    ['beams', { n: 3, use_beam_search: true, length_penalty: 0.8 }, 3],
    ['every sampling field', { min_p: 0.01, typical_p: 0.9, repetition_penalty: 1.1, presence_penalty: 0.5 }, 1],
    ['biases and bans', { logit_bias: { 65: 100 }, bad_words: ['AA'], frequency_penalty: 0.1 }, 1],
    ['stops', { stop: ['a', 'bc'], stop_token_ids: [100], include_stop_str_in_output: true }, 1],
    ['special tokens', { skip_special_tokens: false, spaces_between_special_tokens: false }, 1],
    ['all reports', { n: 2, logprobs: 3, echo: true, return_token_ids: true, return_tokens_as_token_ids: true }, 2],
  ])('%s: whole and streamed are the same, and as the document says', async (_name, fields, numChoices) => {
    const body = { prompt: 'hello', seed: 3, max_tokens: 12, ...fields };
    const whole = await postOk(`${url}/v1/completions`, body);
    expect(whole.choices.map(({ index }: Json) => index)).toEqual(Array.from({ length: numChoices }, (_, i) => i));
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    const events = await readEvents(await post(`${url}/v1/completions`, { ...body, stream: true, stream_options }));
    for (const { index, text, finish_reason, stop_reason } of whole.choices) {
      const parts: Json[] = events.flatMap((event) => event.choices.filter((part: Json) => part.index === index));
      expect(parts.map((part) => part.text).join('')).toBe(text);
      expect(parts.at(-1)).toMatchObject({ finish_reason, stop_reason });
    }
    // What was cached differs from the first time to the second.
    const counts = ({ prompt_tokens, completion_tokens }: Json) => ({ prompt_tokens, completion_tokens });
    expect(counts(events.at(-1).usage)).toEqual(counts(whole.usage));
    await expectIdle(llm.engine);
  });

  test('allowed_token_ids are the only ones that come', async () => {
    const body = { prompt: 'x', max_tokens: 20, allowed_token_ids: [97, 98], ignore_eos: true, n: 2 };
    const { choices } = await postOk(`${url}/v1/completions`, body);
    for (const { text } of choices) expect(text).toMatch(/^[ab]{20}$/);
  });

  test('administration reaches the engine', async () => {
    await server.close({ drainTimeoutMs: 0 });
    server = createServer(llm, { adminKey: 'boss' });
    ({ url } = await server.listen({ port: 0 }));
    const headers = { authorization: 'Bearer boss' };
    const body = { prompt: 'x'.repeat(64), max_tokens: 1 };
    const cached = async () => (await postOk(`${url}/v1/completions`, body)).usage.prompt_tokens_details.cached_tokens;
    expect(await cached()).toBe(0);
    expect(await cached()).toBeGreaterThan(0);
    await jsonOf(await fetch(`${url}/reset_prefix_cache`, { method: 'POST', headers }));
    expect(await cached()).toBe(0);
    const info = await jsonOf(await fetch(`${url}/server_info`, { headers }));
    expect(info).toMatchObject({ numerics_id: llm.numericsId, limits: { max_model_len: llm.limits.maxModelLen } });
  });

  test('a closed socket frees the blocks', async () => {
    const controller = new AbortController();
    const body = { prompt: 'x', max_tokens: 250, ignore_eos: true, stream: true };
    const response = await post(`${url}/v1/completions`, body, {}, controller.signal);
    await response.body!.getReader().read();
    controller.abort();
    await expectIdle(llm.engine);
    expect(llm.engine.stats().finished.abort).toBe(1);
  });

  test('a failed step is a 500 for its requests and nothing to later ones', async () => {
    fails = () => true;
    const response = await post(`${url}/v1/completions`, { prompt: 'x' });
    expect([response.status, (await jsonOf(response)).error.code]).toEqual([500, 'step_failed']);
    fails = () => false;
    await postOk(`${url}/v1/completions`, { prompt: 'x' });
    await expectIdle(llm.engine);
  });

  test('a step that fails ends the requests that it held, names itself, and spares the others', async () => {
    // A request of one step that ends before; two that the failing step holds, one of them streaming; one that comes after.
    const before = await postOk(`${url}/v1/completions`, { prompt: 'before', max_tokens: 1, seed: 1 });
    let failing = -1;
    fails = (stepId) => {
      // The tenth from here: the stream has begun.
      if (failing < 0) failing = stepId + 10;
      return stepId === failing;
    };
    const body = { max_tokens: 200, ignore_eos: true, seed: 1 };
    const [whole, streamed] = await Promise.all([
      post(`${url}/v1/completions`, { ...body, prompt: 'whole' }),
      post(`${url}/v1/completions`, { ...body, prompt: 'streamed', stream: true }),
    ]);
    const message = `step ${failing} failed and its requests ended with it: `;
    const error = { type: 'server_error', code: 'step_failed', param: null, message: expect.stringContaining(message) };
    expect([whole.status, await jsonOf(whole)]).toEqual([500, { error }]);
    expect(streamed.status).toBe(200);
    const events = await readEvents(streamed);
    expect(events.length).toBeGreaterThan(2);
    expect(events.at(-1)).toEqual({ error });
    await expectIdle(llm.engine);
    const after = await postOk(`${url}/v1/completions`, { prompt: 'before', max_tokens: 1, seed: 1 });
    expect(after.choices).toEqual(before.choices);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(llm.engine.stats()).toMatchObject({ numFailedSteps: 1 });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^kvasir:failed_steps_total\{.*\} 1$/m);
  });

  test('metrics count what the engine did', async () => {
    await postOk(`${url}/v1/completions`, { prompt: 'abc', max_tokens: 4, ignore_eos: true });
    const text = await (await fetch(`${url}/metrics`)).text();
    const labels = 'model_name="tiny",engine="0"';
    expect(text).toContain(`vllm:prompt_tokens_total{${labels}} 3\n`);
    expect(text).toContain(`vllm:generation_tokens_total{${labels}} 4\n`);
    expect(text).toContain(`vllm:request_success_total{${labels},finished_reason="length"} 1\n`);
    expect(text).toContain(`vllm:inter_token_latency_seconds_count{${labels}} 3\n`);
    expect(text).toContain(`vllm:iteration_tokens_total_count{${labels}} 4\n`);
    expect(text).toContain(`vllm:time_to_first_token_seconds_count{${labels}} 1\n`);
  });
});
