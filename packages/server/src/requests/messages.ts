import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { describeValue } from './describe-value.js';
import { FieldReader, invalidField, wellFormed } from './field-reader.js';
import { refuseUnbuilt, UNBUILT_MESSAGE_FIELDS } from './unbuilt-fields.js';

const ROLES = ['system', 'developer', 'user', 'assistant'];

/**
 * Reads `messages`. `developer` becomes `system`, which is the name templates know; text parts are joined by newlines, as in vLLM.
 * @throws {@link RequestError} Naming the message.
 */
export function readMessages(fields: FieldReader): readonly ChatMessage[] {
  const value = fields.raw('messages');
  if (value === undefined) throw fields.missing('messages', 'an array of messages');
  if (!Array.isArray(value) || value.length === 0) {
    throw fields.invalid('messages', value, 'an array of at least one message');
  }
  return value.map((message: unknown, i) => readMessage(message, `messages[${i}]`));
}

function readMessage(value: unknown, path: string): ChatMessage {
  const fields = new FieldReader(value, path);
  const role = fields.string('role');
  if (role === undefined) throw fields.missing('role', `one of ${ROLES.join(', ')}`);
  if (!ROLES.includes(role)) throw fields.invalid('role', role, `one of ${ROLES.join(', ')}`);
  refuseUnbuilt(fields, UNBUILT_MESSAGE_FIELDS);
  const content = readContent(fields);
  const name = fields.string('name');
  fields.finish();
  return { role: role === 'developer' ? 'system' : role, content, ...(name === undefined ? {} : { name }) };
}

function readContent(fields: FieldReader): string {
  const value = fields.raw('content');
  if (value === undefined) throw fields.missing('content', 'a string or an array of text parts');
  if (typeof value === 'string') return wellFormed(value, fields.path('content'));
  if (!Array.isArray(value) || value.length === 0) {
    throw fields.invalid('content', value, 'a string or an array of text parts');
  }
  return value.map((part: unknown, i) => readPart(part, `${fields.path('content')}[${i}]`)).join('\n');
}

function readPart(value: unknown, path: string): string {
  if (typeof value === 'string') throw invalidField(path, value, 'an object like {"type": "text", "text": "..."}');
  const fields = new FieldReader(value, path);
  const type = fields.string('type');
  if (type === undefined) throw fields.missing('type', '"text"');
  if (type !== 'text') {
    throw new RequestError(
      'ERR_UNSUPPORTED_FIELD',
      `'${fields.path('type')}' is ${describeValue(type)}, but this server reads text parts only; send {"type": "text", "text": "..."}`,
      fields.path('type'),
    );
  }
  const text = fields.string('text');
  if (text === undefined) throw fields.missing('text', 'a string');
  fields.finish();
  return text;
}
