import type { ChatMessage } from '@kvasir/interfaces';
import { constant, either, list, maybe, oneOf, optionalAll, record, type Static, text } from '../schema/builders.js';
import { MAX_MESSAGES } from './request-limits.js';
import { UNBUILT_MESSAGE } from './unbuilt-fields.js';

/** A text part of a message, and the only kind that is read. */
const part = record(
  {
    type: constant('text', {
      'x-expected': '"text"',
      'x-unsupported': 'but this server reads text parts only; send {"type": "text", "text": "..."}',
    }),
    text: text(),
  },
  { 'x-expected': 'an object like {"type": "text", "text": "..."}' },
);
const message = record({
  role: oneOf(['system', 'developer', 'user', 'assistant'], {
    description: '`developer` reaches the template as `system`, which is the name templates know.',
  }),
  content: either([text(), list(part, { minItems: 1 })], {
    'x-expected': 'a string or an array of text parts',
    description: 'Text, or parts of text, which are joined by newlines.',
  }),
  name: maybe(text()),
  ...optionalAll(UNBUILT_MESSAGE),
});

/** `messages` of a chat. */
export const messagesSchema = list(message, {
  minItems: 1,
  maxItems: MAX_MESSAGES,
  'x-expected': 'an array of at least one message',
  'x-entries': 'messages',
});

/** Messages as templates see them. `developer` becomes `system`; text parts are joined by newlines, as in vLLM. */
export function toChatMessages(messages: Static<typeof messagesSchema>): readonly ChatMessage[] {
  return messages.map(({ role, content, name }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map((each) => each.text).join('\n'),
    ...(name == null ? {} : { name }),
  }));
}
