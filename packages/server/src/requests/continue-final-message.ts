import { RequestError } from '../errors.js';

/**
 * A rendered chat up to the end of its last message, so that the model goes on with it: what the template wrote after the
 * message (end-of-turn markers) is cut off. White space around the message counts as far as the template kept it.
 * @throws {@link RequestError} When the template did not write the message as it is.
 */
export function continueFinalMessage(rendered: string, message: string): string {
  const words = message.trim();
  const start = words === '' ? -1 : rendered.lastIndexOf(words);
  if (start === -1) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'continue_final_message' is true, but the chat template ${words === '' ? 'has no text of' : 'changes'} the last message; send a last message with text, or leave continue_final_message out`,
      'continue_final_message',
    );
  }
  const end = start + words.length;
  const trailing = message.slice(message.trimEnd().length);
  return rendered.slice(0, rendered.startsWith(trailing, end) ? end + trailing.length : end);
}
