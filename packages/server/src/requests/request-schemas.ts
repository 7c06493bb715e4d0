import { chatSchema } from './chat-request.js';
import { completionSchema } from './completion-request.js';
import type { RequestLimits } from './request-limits.js';
import { detokenizeSchema, tokenizeSchema } from './tokenize-request.js';

/** The schemas of one server's bodies, each made when a route or the OpenAPI document first asks for it. */
export class RequestSchemas {
  readonly #limits: RequestLimits;
  #chat: ReturnType<typeof chatSchema> | undefined;
  #completion: ReturnType<typeof completionSchema> | undefined;
  #tokenize: ReturnType<typeof tokenizeSchema> | undefined;
  #detokenize: ReturnType<typeof detokenizeSchema> | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  get chat() {
    this.#chat ??= chatSchema(this.#limits);
    return this.#chat;
  }

  get completion() {
    this.#completion ??= completionSchema(this.#limits);
    return this.#completion;
  }

  get tokenize() {
    this.#tokenize ??= tokenizeSchema();
    return this.#tokenize;
  }

  get detokenize() {
    this.#detokenize ??= detokenizeSchema(this.#limits);
    return this.#detokenize;
  }
}
