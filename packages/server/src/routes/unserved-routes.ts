import { RequestError } from '../errors.js';
import { quote } from '../requests/describe-value.js';
import type { ServerContext } from '../server-context.js';
import { RERANK_PATHS } from './rerank.js';
import { SCORE_PATHS } from './score.js';

const GENERATING: readonly string[] = ['/v1/chat/completions', '/v1/completions'];
const EMBEDDING: readonly string[] = ['/v1/embeddings', ...RERANK_PATHS, ...SCORE_PATHS];

/** The error for a route of a kind of model that this server has none of; `undefined` for other paths. */
export function unservedRoute({ models }: ServerContext, path: string): RequestError | undefined {
  const names = models.names.map(quote).join(', ');
  if (GENERATING.includes(path) && !models.hasLanguageModel) {
    return new RequestError(
      'ERR_UNSUITABLE_MODEL',
      `no model of this server generates text, ${names} turns texts into vectors; use /v1/embeddings`,
      'model',
    );
  }
  if (EMBEDDING.includes(path) && models.embedders.length === 0) {
    return new RequestError(
      'ERR_UNSUITABLE_MODEL',
      `no model of this server turns texts into vectors, ${names} generates text; ask a server with an embedding model`,
      'model',
    );
  }
  return undefined;
}
