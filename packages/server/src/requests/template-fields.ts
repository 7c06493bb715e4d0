import { RequestError } from '../errors.js';
import { anything, dictionary, flag, optionalAll, record, type Static, text } from '../schema/builders.js';
import { quote } from './describe-value.js';
import { MAX_TEMPLATE_KWARGS, MAX_TEMPLATE_LENGTH } from './request-limits.js';

/** Names that a template gets from the server; a client that could set them could change what the server does. */
const RESERVED = new Set([
  ...['messages', 'add_generation_prompt', 'continue_final_message', 'tools', 'documents', 'tokenize', 'chat_template'],
  ...['bos_token', 'eos_token', 'raise_exception', 'range', 'strftime_now', 'namespace', 'loop', 'caller'],
  ...['true', 'false', 'none', 'True', 'False', 'None'],
]);

/** Fields that say how messages become text. */
export const templateFields = optionalAll({
  add_generation_prompt: flag({ description: 'Append what makes the model answer. Default true.' }),
  continue_final_message: flag({
    description: 'Leave the last message open, so that the answer continues it. Default false.',
  }),
  chat_template: text({
    minLength: 1,
    maxLength: MAX_TEMPLATE_LENGTH,
    description: 'Jinja template instead of the model’s. Only where the server was started to take it.',
  }),
  chat_template_kwargs: dictionary(anything(), {
    maxProperties: MAX_TEMPLATE_KWARGS,
    propertyNames: { maxLength: 64 },
    description: 'Further variables of the template.',
  }),
});

const templateRecord = record(templateFields);

/** How messages become text. */
export interface TemplateFields {
  readonly addGenerationPrompt: boolean;
  readonly continueFinalMessage: boolean;
  /** Source of a template to use instead of the model's. */
  readonly template: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Fills in defaults. @throws {@link RequestError} For flags that exclude each other and variables that are reserved. */
export function readTemplate(body: Static<typeof templateRecord>): TemplateFields {
  const continueFinalMessage = body.continue_final_message ?? false;
  if (continueFinalMessage && body.add_generation_prompt === true) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'continue_final_message' and 'add_generation_prompt' are both true, expected one of them; leave add_generation_prompt out to continue the last message`,
      'continue_final_message',
    );
  }
  const variables = body.chat_template_kwargs ?? {};
  for (const name of Object.keys(variables)) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !RESERVED.has(name)) continue;
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'chat_template_kwargs' sets ${quote(name)}, which ${RESERVED.has(name) ? 'the server sets itself' : 'is no name of a variable'}; leave it out`,
      `chat_template_kwargs.${name.slice(0, 64)}`,
    );
  }
  return {
    addGenerationPrompt: body.add_generation_prompt ?? !continueFinalMessage,
    continueFinalMessage,
    template: body.chat_template ?? undefined,
    variables,
  };
}
