import { type GenerateRequest, InvalidArgumentError } from '@kvasir/interfaces';
import type { EngineLimits } from './engine-options.js';
import { PromptTooLongError } from './errors.js';

/**
 * Holds a request to the limits of its engine.
 * @throws {@link PromptTooLongError} and `InvalidArgumentError`.
 */
export function checkRequest({ promptTokenIds, sampling }: GenerateRequest, limits: EngineLimits): void {
  if (promptTokenIds.length === 0) {
    throw new InvalidArgumentError('promptTokenIds', 'the prompt has no tokens: expected at least one');
  }
  const { maxModelLen, maxLogprobs, vocabSize } = limits;
  if (promptTokenIds.length >= maxModelLen) throw new PromptTooLongError(promptTokenIds.length, maxModelLen);
  checkTokenIds('promptTokenIds', promptTokenIds, vocabSize);
  checkTokenIds('stopTokenIds', sampling.stopTokenIds, vocabSize);
  checkTokenIds('logitBias', [...sampling.logitBias.keys()], vocabSize);
  checkTokenIds('allowedTokenIds', sampling.allowedTokenIds ?? [], vocabSize);
  for (const word of sampling.badWords) checkTokenIds('badWords', word, vocabSize);
  const asked = Math.max(sampling.logprobs ?? 0, sampling.promptLogprobs ?? 0);
  if (asked > maxLogprobs) {
    throw new InvalidArgumentError(
      'logprobs',
      `${asked} log-probabilities a position are asked for, at most ${maxLogprobs} are possible: ask for fewer or raise maxLogprobs`,
    );
  }
}

function checkTokenIds(parameter: string, ids: ArrayLike<number>, vocabSize: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < 0 || id >= vocabSize) {
      throw new InvalidArgumentError(parameter, `${parameter} holds token ${id}: expected 0 to ${vocabSize - 1}`);
    }
  }
}
