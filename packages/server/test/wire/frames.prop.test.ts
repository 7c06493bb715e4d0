import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkWriter } from '../../src/wire/frames.js';

const anyText = fc.string({ unit: 'binary' });

/** What a frame says, checked to be exactly one event. */
function parse(frame: string): unknown {
  expect(frame.startsWith('data: ')).toBe(true);
  expect(frame.endsWith('\n\n')).toBe(true);
  const json = frame.slice('data: '.length, -2);
  expect(json).not.toMatch(/[\r\n]/);
  return JSON.parse(json);
}

test('spliced chunks are what JSON.stringify would have said, for any text', () => {
  fc.assert(
    fc.property(
      anyText,
      anyText,
      anyText,
      fc.boolean(),
      fc.boolean(),
      fc.nat(9),
      (id, model, text, isChat, includeUsage, index) => {
        const object = isChat ? 'chat.completion.chunk' : 'text_completion';
        const head = { id, object, created: 7, model } as const;
        const usage = includeUsage ? { usage: null } : {};
        const said = isChat ? { delta: { content: text } } : { text };
        const chunks = new ChunkWriter({ ...head, includeUsage });
        expect(parse(chunks.text(index, text))).toEqual({
          ...head,
          choices: [{ index, ...said, logprobs: null, finish_reason: null }],
          ...usage,
        });
        const full = chunks.full(
          index,
          text,
          { finishReason: 'stop', stopReason: text },
          { tokenIds: '[1]', promptTokenIds: '[2]', logprobs: '{"x":1}' },
        );
        expect(parse(full)).toEqual({
          ...head,
          choices: [
            {
              index,
              ...said,
              logprobs: { x: 1 },
              finish_reason: 'stop',
              stop_reason: text,
              prompt_token_ids: [2],
              token_ids: [1],
            },
          ],
          ...usage,
        });
      },
    ),
    fcParameters(200),
  );
});
