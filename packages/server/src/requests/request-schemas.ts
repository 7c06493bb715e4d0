import { chatSchema } from './chat-request.js';
import { completionSchema } from './completion-request.js';
import type { EmbeddingLimits } from './embedding-fields.js';
import { embeddingSchema } from './embedding-request.js';
import type { RequestLimits } from './request-limits.js';
import { rerankSchema } from './rerank-request.js';
import { scoreSchema } from './score-request.js';
import { detokenizeSchema, tokenizeSchema } from './tokenize-request.js';

/** The schemas of one server's bodies, each made when a route or the OpenAPI document first asks for it. */
export class RequestSchemas {
  readonly #limits: RequestLimits;
  readonly #embeddingLimits: EmbeddingLimits;
  readonly #largestVocabSize: number;
  #chat: ReturnType<typeof chatSchema> | undefined;
  #completion: ReturnType<typeof completionSchema> | undefined;
  #tokenize: ReturnType<typeof tokenizeSchema> | undefined;
  #detokenize: ReturnType<typeof detokenizeSchema> | undefined;
  #embedding: ReturnType<typeof embeddingSchema> | undefined;
  #rerank: ReturnType<typeof rerankSchema> | undefined;
  #score: ReturnType<typeof scoreSchema> | undefined;

  /** @param limits - Of the language model's routes. @param embeddingLimits - Of the embedders'. */
  constructor(limits: RequestLimits, embeddingLimits: EmbeddingLimits) {
    this.#limits = limits;
    this.#embeddingLimits = embeddingLimits;
    this.#largestVocabSize = Math.max(limits.vocabSize, embeddingLimits.vocabSize);
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
    this.#detokenize ??= detokenizeSchema(this.#largestVocabSize);
    return this.#detokenize;
  }

  get embedding() {
    this.#embedding ??= embeddingSchema(this.#embeddingLimits);
    return this.#embedding;
  }

  get rerank() {
    this.#rerank ??= rerankSchema(this.#embeddingLimits);
    return this.#rerank;
  }

  get score() {
    this.#score ??= scoreSchema(this.#embeddingLimits);
    return this.#score;
  }
}
