import { type GenerateRequest, InvalidArgumentError, type SamplingParams } from '@kvasir/interfaces';
import { endIdsOf, numCandidatesOf } from '../choices/beam-ranking.js';
import type { EngineLimits } from '../engine-options.js';
import { PromptTooLongError } from '../errors.js';

/** Choices of one request, so that one request cannot be a thousand by itself. Servers set lower limits of their own. */
const MAX_CHOICES = 1024;

/**
 * Holds a request to the limits of its engine.
 * @throws {@link PromptTooLongError} and `InvalidArgumentError`.
 */
export function checkRequest(
  request: GenerateRequest,
  limits: EngineLimits,
  eosTokenIds: readonly number[] = [],
): void {
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
  if (request.beam !== undefined) checkBeam(request, limits, eosTokenIds);
  checkTimeout(request);
}

function checkChoices({ n = 1, bestOf }: GenerateRequest): void {
  checkInteger('n', n, 1, MAX_CHOICES);
  if (bestOf !== undefined) checkInteger('bestOf', bestOf, n, MAX_CHOICES);
}

/** What has no part in a beam search, and the value that means so. */
const OFF_IN_BEAMS: Partial<SamplingParams> = {
  topP: 1,
  topK: 0,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

function checkBeam(request: GenerateRequest, limits: EngineLimits, eosTokenIds: readonly number[]): void {
  const { n = 1, bestOf, sampling } = request;
  const beam = request.beam!;
  const numEnds = endIdsOf(request, eosTokenIds).size;
  const numCandidates = numCandidatesOf(beam, numEnds, limits.vocabSize);
  checkInteger('beam.width', beam.width, Math.max(1, n), Math.min(MAX_CHOICES, limits.vocabSize - numEnds));
  if (numCandidates > limits.maxLogprobs) {
    throw new InvalidArgumentError(
      'beam.width',
      `beam.width is ${beam.width}, which takes ${numCandidates} log-probabilities a position, at most ${limits.maxLogprobs} are possible: ask for fewer beams or raise maxLogprobs`,
    );
  }
  if (!Number.isFinite(beam.lengthPenalty)) {
    throw new InvalidArgumentError(
      'beam.lengthPenalty',
      `beam.lengthPenalty is ${beam.lengthPenalty}: expected a finite number`,
    );
  }
  if (typeof beam.earlyStopping !== 'boolean') {
    throw new InvalidArgumentError(
      'beam.earlyStopping',
      `beam.earlyStopping is ${String(beam.earlyStopping)}: expected true or false`,
    );
  }
  if (bestOf !== undefined) refuseWithBeam('bestOf', bestOf);
  if (sampling.stop.length > 0) refuseWithBeam('stop', sampling.stop.join(', '));
  if (sampling.badWords.length > 0) refuseWithBeam('badWords', `${sampling.badWords.length} sequences`);
  if (sampling.logitBias.size > 0) refuseWithBeam('logitBias', `${sampling.logitBias.size} tokens`);
  if (sampling.allowedTokenIds !== undefined) {
    refuseWithBeam('allowedTokenIds', `${sampling.allowedTokenIds.length} tokens`);
  }
  for (const [name, off] of Object.entries(OFF_IN_BEAMS)) {
    const value = sampling[name as keyof SamplingParams];
    if (value !== off) refuseWithBeam(name, String(value));
  }
}

function refuseWithBeam(parameter: string, value: string | number): never {
  throw new InvalidArgumentError(
    parameter,
    `${parameter} is ${value}: beam search ranks the model's own log-probabilities and takes none, leave it out`,
  );
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

/** @throws `InvalidArgumentError` For an id outside the vocabulary. */
export function checkTokenIds(parameter: string, ids: ArrayLike<number>, vocabSize: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < 0 || id >= vocabSize) {
      throw new InvalidArgumentError(parameter, `${parameter} holds token ${id}: expected 0 to ${vocabSize - 1}`);
    }
  }
}
