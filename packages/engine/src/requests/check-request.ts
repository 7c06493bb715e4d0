import { type GenerateRequest, InvalidArgumentError } from '@kvasir/interfaces';
import type { EngineLimits } from '../engine-options.js';
import { PromptTooLongError } from '../errors.js';

/** Choices of one request, so that one request cannot be a thousand by itself. Servers set lower limits of their own. */
export const MAX_CHOICES = 1024;

/**
 * Holds a request to the limits of its engine.
 * @throws {@link PromptTooLongError} and `InvalidArgumentError`.
 */
export function checkRequest(request: GenerateRequest, limits: EngineLimits): void {
  const { promptTokenIds, sampling } = request;
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
  checkChoices(request);
  checkTimeout(request);
}

function checkChoices({ n = 1, bestOf }: GenerateRequest): void {
  checkInteger('n', n, 1, MAX_CHOICES);
  if (bestOf !== undefined) checkInteger('bestOf', bestOf, n, MAX_CHOICES);
}

function checkTimeout({ timeoutMs }: GenerateRequest): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new InvalidArgumentError('timeoutMs', `timeoutMs is ${timeoutMs}: expected a number above 0`);
  }
}

function checkInteger(parameter: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(parameter, `${parameter} is ${value}: expected an integer from ${min} to ${max}`);
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
