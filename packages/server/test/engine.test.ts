import { type Engine, LLM } from '@kvasir/engine';
import { byteTokenizerSource, createFakeBackend, createFakeProgram } from '@kvasir/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createServer, type KvasirServer, type ServedModel } from '../src/index.js';
import { jsonOf, post, postOk, readEvents, until } from './support/client.js';

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
    generation: { eosTokenIds: [EOS] },
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
