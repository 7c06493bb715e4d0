import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectIdle, type Json, post, postOk, readEvents, startServer } from './support/client.js';

const fields = fc.record(
  {
    max_tokens: fc.integer({ min: 1, max: 30 }),
    stop: fc.string({ minLength: 1, maxLength: 1 }),
    ignore_eos: fc.boolean(),
    return_token_ids: fc.boolean(),
    echo: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** Characters of one to four bytes, so that tokens split them. */
const text = fc.string({ unit: fc.constantFrom('a', 'é', '語', '😀', '\n', '"', '\u2028'), maxLength: 12 });

test('a stream says what the whole answer says, on both routes', async () => {
  let reply = '';
  const { url, model } = await startServer({ reply: () => reply });
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.array(text, { minLength: 1, maxLength: 3 }),
      fields,
      fc.boolean(),
      async (said, prompts, extra, isChat) => {
        reply = said;
        const path = isChat ? '/v1/chat/completions' : '/v1/completions';
        const asked = isChat
          ? { messages: prompts.map((content) => ({ role: 'assistant', content })) }
          : { prompt: prompts };
        const body = { ...asked, ...extra, seed: 1 };
        const whole = await postOk(`${url}${path}`, body);
        const options = { stream: true, stream_options: { include_usage: true } };
        const events = await readEvents(await post(`${url}${path}`, { ...body, ...options }));
        expect(events.at(-1).usage).toEqual(whole.usage);
        for (const choice of whole.choices) {
          const parts: Json[] = events.flatMap((event) =>
            event.choices.filter((part: Json) => part.index === choice.index),
          );
          const streamed = parts.map((part) => (isChat ? part.delta.content : part.text)).join('');
          expect(streamed).toBe(isChat ? choice.message.content : choice.text);
          expect(parts.at(-1).finish_reason).toBe(choice.finish_reason);
          expect(parts.at(-1).stop_reason).toBe(choice.stop_reason);
          if (extra.return_token_ids === true)
            expect(parts.flatMap((part) => part.token_ids ?? [])).toEqual(choice.token_ids);
        }
        expectIdle(model);
      },
    ),
    fcParameters(100),
  );
});
