import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../errors.js';
import { mapInTurns } from '../map-in-turns.js';
import type { OngoingAnswer } from '../ongoing-answer.js';
import type { EmbeddingInput } from '../requests/embedding-input.js';
import { checkTokenRange } from '../requests/prompts.js';
import type { ServedEmbedder } from '../served-embedder.js';
import { type ServerContext, trackAnswer } from '../server-context.js';

/** What one HTTP request wants embedded. */
export interface EmbedTask {
  readonly embedder: ServedEmbedder;
  readonly inputs: readonly EmbeddingInput[];
  readonly dimensions?: number | undefined;
  /** Ids under which its end may be asked for; the first is the answer's own. */
  readonly names: readonly string[];
}

/** What came of an {@link EmbedTask}. */
export interface EmbeddedInputs {
  /** One an input, in their order. */
  readonly vectors: readonly Float32Array[];
  readonly promptTokens: number;
}

/**
 * Tokenizes and embeds what a request wants, unless its client leaves or it is aborted.
 * @throws {@link RequestError} Naming the input that does not fit. @throws `KvasirError` What the embedder threw.
 */
export async function embedInputs(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  task: EmbedTask,
): Promise<EmbeddedInputs> {
  const { embedder, inputs, dimensions = embedder.width } = task;
  if (reply.raw.destroyed) throw new RequestError('ERR_GENERATION_ABORTED', 'the client is gone');
  if (dimensions > embedder.width) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'dimensions' is ${dimensions}, expected at most ${embedder.width}, the width of the model's vectors`,
      'dimensions',
    );
  }
  // Before the work of tokenizing, which an overloaded process can do without.
  embedder.checkRoom(inputs.length);
  const answer = new EmbedAnswer(task.names);
  trackAnswer(context, answer, reply.raw);
  const { signal } = answer;
  const sequences = await mapInTurns(
    inputs,
    ({ content }) => content.length,
    (input) => {
      signal.throwIfAborted();
      return toTokenIds(input, embedder);
    },
  );
  const promptTokens = sequences.reduce((sum, { length }) => sum + length, 0);
  checkTotal(promptTokens, inputs, context.options.maxEmbeddingTokens);
  request.access.promptTokens = promptTokens;
  const { vectors } = await embedder.embed(sequences, { dimensions, signal, arrivalMs: request.access.arrivedAt });
  request.access.finish = 'stop';
  return { vectors, promptTokens };
}

/** Waits for vectors until it is aborted. */
class EmbedAnswer implements OngoingAnswer {
  readonly names: readonly string[];
  readonly #controller = new AbortController();

  constructor(names: readonly string[]) {
    this.names = names;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason = 'the request was aborted before it was done; send it again'): void {
    this.#controller.abort(new RequestError('ERR_GENERATION_ABORTED', reason));
  }
}

function toTokenIds({ content, path, truncation }: EmbeddingInput, embedder: ServedEmbedder): Int32Array {
  const { maxModelLen } = embedder.limits;
  const maxTokens = truncation === -1 ? maxModelLen : truncation;
  if (typeof content !== 'string') checkTokenRange(content, embedder.tokenizer.vocabSize, path);
  const ids = typeof content === 'string' ? embedder.tokenize(content, maxTokens) : content.slice(0, maxTokens);
  if (ids.length <= maxModelLen) return ids;
  throw new RequestError(
    'ERR_CONTEXT_LENGTH',
    `'${path}' has ${ids.length} tokens, but the model takes ${maxModelLen}; shorten it or send truncate_prompt_tokens: -1`,
    path,
  );
}

function checkTotal(promptTokens: number, inputs: readonly EmbeddingInput[], maxTokens: number): void {
  if (promptTokens <= maxTokens) return;
  const parameter = inputs.at(-1)!.path.replace(/\[\d+\]$/, '');
  throw new RequestError(
    'ERR_INVALID_FIELD',
    `'${parameter}' and what else is to be embedded have ${promptTokens} tokens, this server takes at most ${maxTokens} a request; send several`,
    parameter,
  );
}
