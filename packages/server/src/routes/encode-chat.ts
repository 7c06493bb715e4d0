import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { continueFinalMessage } from '../requests/continue-final-message.js';
import { quote } from '../requests/describe-value.js';
import type { TemplateFields } from '../requests/template-fields.js';
import { wellFormed } from '../schema/field-errors.js';
import type { GenerationContext } from '../server-context.js';

/** How messages become tokens. */
export interface EncodeChatOptions extends TemplateFields {
  readonly addSpecialTokens: boolean;
}

/**
 * Token ids of a rendered chat.
 * @throws {@link RequestError} `ERR_NO_CHAT_TEMPLATE`. @throws `KvasirError` `ERR_CHAT_TEMPLATE`.
 */
export async function encodeChat(
  { model, promptBound, templates }: GenerationContext,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions,
): Promise<Int32Array> {
  const { addGenerationPrompt, variables } = options;
  const template = options.template === undefined ? model.chatTemplate : await templates.get(options.template);
  if (template === undefined) {
    throw new RequestError(
      'ERR_NO_CHAT_TEMPLATE',
      `model ${quote(model.name)} has no chat template, so it cannot take messages; use /v1/completions with a prompt`,
      'messages',
    );
  }
  const rendered = template.render(messages, { addGenerationPrompt, variables });
  const text = options.continueFinalMessage ? continueFinalMessage(rendered, messages.at(-1)!.content) : rendered;
  promptBound.check(text, 'messages');
  return model.tokenizer.encode(wellFormed(text, 'chat_template_kwargs'), options);
}
