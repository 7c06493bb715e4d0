import type { Truncation } from './generation-fields.js';

/**
 * A prompt cut to what the request allows: a copy, or itself when it is short enough.
 * @param room - Tokens that a prompt can have at all, for requests that want what fits.
 */
export function truncatePrompt(tokenIds: Int32Array, truncation: Truncation | undefined, room: number): Int32Array {
  if (truncation === undefined) return tokenIds;
  const numKept = Math.max(1, truncation.maxTokens ?? room);
  if (tokenIds.length <= numKept) return tokenIds;
  return truncation.side === 'left' ? tokenIds.slice(-numKept) : tokenIds.slice(0, numKept);
}
