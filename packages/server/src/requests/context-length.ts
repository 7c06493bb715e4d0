import { RequestError } from '../errors.js';

/** What {@link settleMaxTokens} needs to know of a prompt. */
export interface LengthQuestion {
  /** Field to blame, `prompt` or `messages`. */
  readonly parameter: string;
  readonly promptTokens: number;
  readonly maxModelLen: number;
  /** What the client asked for. */
  readonly asked: number | undefined;
  /** What it gets when it asked for nothing, as far as there is room. */
  readonly fallback: number;
}

/**
 * Output tokens that a prompt may have, within the model's context.
 * @throws {@link RequestError} `ERR_CONTEXT_LENGTH` when the prompt, or the prompt and what was asked for, do not fit.
 */
export function settleMaxTokens(question: LengthQuestion): number {
  const { promptTokens, maxModelLen, asked, fallback, parameter } = question;
  const room = maxModelLen - promptTokens;
  if (room < 1) {
    throw new RequestError(
      'ERR_CONTEXT_LENGTH',
      `'${parameter}' has ${promptTokens} tokens, but the model's context holds ${maxModelLen} with at least 1 of output; shorten it by ${1 - room}`,
      parameter,
    );
  }
  if (asked !== undefined && asked > room) {
    throw new RequestError(
      'ERR_CONTEXT_LENGTH',
      `'${parameter}' has ${promptTokens} tokens and ${asked} of output are asked for, together ${promptTokens + asked}, ` +
        `but the model's context holds ${maxModelLen}; shorten it or ask for at most ${room}`,
      parameter,
    );
  }
  return asked ?? Math.min(fallback, room);
}
