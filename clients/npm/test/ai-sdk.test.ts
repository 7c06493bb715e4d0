import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import { expect, test } from 'vitest';
import { served } from '../../setup/served.js';

const { baseURL, model } = served();
const provider = createOpenAICompatible({ name: 'kvasir', baseURL, includeUsage: true });
const greedy = { model: provider(model), prompt: 'Name three colours.', temperature: 0, maxOutputTokens: 24 };

test('generateText answers with text, reason and usage', async () => {
  const { text, finishReason, usage, warnings } = await generateText(greedy);
  expect(text).toMatch(/\w/);
  expect(finishReason).toBe('length');
  expect(usage).toMatchObject({ inputTokens: expect.any(Number), outputTokens: 24 });
  expect(usage.inputTokenDetails.cacheReadTokens).toBeGreaterThanOrEqual(0);
  expect(warnings).toEqual([]);
});

test('streamText streams the same text', async () => {
  const whole = await generateText(greedy);
  const result = streamText(greedy);
  let text = '';
  for await (const part of result.textStream) text += part;
  expect(text).toBe(whole.text);
  expect(await result.finishReason).toBe('length');
  expect((await result.usage).outputTokens).toBe(24);
});

test('a conversation with a system text, a stop string and a seed', async () => {
  const ask = () =>
    generateText({
      model: provider(model),
      system: 'Answer with a list.',
      messages: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hello!' },
        { role: 'user', content: [{ type: 'text', text: 'Count to five.' }] },
      ],
      temperature: 0.8,
      topP: 0.9,
      seed: 3,
      maxOutputTokens: 32,
      stopSequences: ['3'],
    });
  const [first, second] = [await ask(), await ask()];
  expect(first.text).toBe(second.text);
  expect(first.text).not.toContain('3');
});

test('an error is an APICallError with the message of the server', async () => {
  const error = await generateText({ ...greedy, temperature: 9, maxRetries: 0 }).catch((reason: unknown) => reason);
  expect(APICallError.isInstance(error)).toBe(true);
  expect(error).toMatchObject({ statusCode: 400, message: "'temperature' is 9, expected a number from 0 to 2" });
});
