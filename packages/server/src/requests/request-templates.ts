import type { ChatTemplate } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import type { ServedModel } from '../served-model.js';
import { quote } from './describe-value.js';

/** Compiled templates that are kept. */
const MAX_KEPT = 8;

/** Templates that clients sent, compiled; the ones last used are kept. */
export class RequestTemplates {
  readonly #model: ServedModel;
  readonly #isTrusted: boolean;
  readonly #timeoutMs: number;
  /** By source, the one used last at the end. */
  readonly #compiled = new Map<string, ChatTemplate>();

  constructor(
    model: ServedModel,
    options: { readonly trustRequestChatTemplate: boolean; readonly templateTimeoutMs: number },
  ) {
    this.#model = model;
    this.#isTrusted = options.trustRequestChatTemplate;
    this.#timeoutMs = options.templateTimeoutMs;
  }

  /**
   * @throws {@link RequestError} `ERR_UNSUPPORTED_FIELD` when the server does not take templates of clients.
   * @throws `KvasirError` `ERR_CHAT_TEMPLATE` when it does not parse.
   */
  async get(source: string): Promise<ChatTemplate> {
    if (!this.#isTrusted || this.#model.compileChatTemplate === undefined) {
      throw new RequestError(
        'ERR_UNSUPPORTED_FIELD',
        `'chat_template' is ${quote(source)}, but this server renders no templates of clients; leave it out, or start the server with --trust-request-chat-template`,
        'chat_template',
      );
    }
    const template =
      this.#compiled.get(source) ?? (await this.#model.compileChatTemplate(source, { timeoutMs: this.#timeoutMs }));
    this.#compiled.delete(source);
    this.#compiled.set(source, template);
    if (this.#compiled.size > MAX_KEPT) this.#compiled.delete(this.#compiled.keys().next().value!);
    return template;
  }
}
