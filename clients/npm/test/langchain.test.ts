import { HumanMessage, SystemMessage, type UsageMetadata } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { expect, test } from 'vitest';
import { served } from '../../setup/served.js';

const { baseURL, model } = served();
const chat = new ChatOpenAI({
  model,
  temperature: 0,
  maxTokens: 24,
  apiKey: 'none',
  maxRetries: 0,
  configuration: { baseURL },
});
const messages = [new SystemMessage('You answer briefly.'), new HumanMessage('Name three colours.')];

test('invoke answers with text and usage', async () => {
  const answer = await chat.invoke(messages);
  expect(answer.text).toMatch(/\w/);
  expect(answer.usage_metadata).toMatchObject({ output_tokens: 24 });
  expect(answer.response_metadata).toMatchObject({ finish_reason: 'length' });
});

test('stream streams the same text', async () => {
  const whole = await chat.invoke(messages);
  let text = '';
  let outputTokens = 0;
  for await (const chunk of await chat.stream(messages)) {
    text += chunk.text;
    outputTokens += (chunk.usage_metadata as UsageMetadata | undefined)?.output_tokens ?? 0;
  }
  expect(text).toBe(whole.text);
  expect(outputTokens).toBe(24);
});

test('batch answers each in its order', async () => {
  const answers = await chat.batch([messages, 'Say hi.']);
  expect(answers.map(({ text }) => text.length > 0)).toEqual([true, true]);
});
