import { randomId } from '../http/request-id.js';

/** Ids of one answer. */
export interface AnswerIds {
  /** What the answer is called: `chatcmpl-...`. */
  readonly id: string;
  /** What the engine calls its requests, before `-0`, `-1`, ...: unlike `id` it is never used twice. */
  readonly engineId: string;
  /** What a client may call the answer when it wants it ended. */
  readonly names: readonly string[];
}

/**
 * @param asked - `request_id` of the body, which clients may use as often as they like.
 * @param httpId - `X-Request-Id` of the HTTP request.
 */
export function createAnswerIds(prefix: string, asked: string | undefined, httpId: string): AnswerIds {
  const random = randomId();
  const id = `${prefix}-${asked ?? random}`;
  return {
    id,
    engineId: `${prefix}-${random}`,
    names: asked === undefined ? [id, httpId] : [id, asked, httpId],
  };
}
