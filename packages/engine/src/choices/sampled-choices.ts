import {
  choiceSeed,
  type FinishReason,
  type GenerateRequest,
  type SamplingParams,
  type Tokenizer,
} from '@kvasir/interfaces';
import type { EngineLimits } from '../engine-options.js';
import type { RunningRequest } from '../requests/running-request.js';
import type { Sequence } from '../sequence.js';
import { SequenceText, textOptionsOf } from '../sequence-text.js';
import type { RowOutput, StepOutput } from '../step-output.js';
import { type ChoiceChunk, takeChunk } from '../take-chunk.js';
import type { ChoiceMaker, SequenceStarter } from './choice-maker.js';

/** What a {@link ChoiceMaker} is made of. */
export interface ChoiceMakerOptions {
  readonly running: RunningRequest;
  readonly starter: SequenceStarter;
  readonly tokenizer: Tokenizer;
  readonly limits: EngineLimits;
  readonly eosTokenIds: readonly number[];
}

/** `n` independent choices, streamed as they come. The first computes the prompt, the others begin as its forks. */
export class SampledChoices implements ChoiceMaker {
  protected readonly running: RunningRequest;
  readonly #options: ChoiceMakerOptions;
  readonly #texts: SequenceText[] = [];
  #hasPromptLogprobs = false;

  constructor(options: ChoiceMakerOptions) {
    this.running = options.running;
    this.#options = options;
  }

  begin(): void {
    const { running, starter, tokenizer, limits } = this.#options;
    const { request } = running;
    const { promptTokenIds, sampling } = request;
    const maxLength = Math.min(promptTokenIds.length + sampling.maxTokens, limits.maxModelLen);
    let first: Sequence | undefined;
    for (let index = 0; index < numSampled(request); index++) {
      this.#texts.push(new SequenceText(tokenizer, textOptionsOf(request)));
      const start = { index, promptTokenIds, maxLength, sampling: this.samplingOf(index) };
      const sequence = starter.start(running, first === undefined ? start : { ...start, forkOf: first.id });
      first ??= sequence;
    }
  }

  take(sequence: Sequence, row: RowOutput, output: StepOutput): FinishReason | undefined {
    const chunk = takeChunk(sequence, this.#texts[sequence.index]!, row, output);
    this.running.completionTokens += chunk.tokenIds.length;
    this.push(sequence, chunk);
    return chunk.finishReason;
  }

  /** Parameters of choice `index`. Prompt log-probabilities are the request's, so only the first asks for them. */
  protected samplingOf(index: number): SamplingParams {
    const { sampling } = this.running.request;
    if (index === 0) return sampling;
    return { ...sampling, seed: choiceSeed(sampling.seed, index), promptLogprobs: undefined };
  }

  protected push(sequence: Sequence, chunk: ChoiceChunk): void {
    const { running } = this;
    running.stream.push({
      index: sequence.index,
      ...chunk,
      promptLogprobs: sequence.index === 0 ? this.takePromptLogprobs(sequence) : undefined,
      usage: running.usage(),
    });
  }

  /** The prompt's log-probabilities, once. */
  protected takePromptLogprobs(sequence: Sequence): Sequence['promptLogprobs'] | undefined {
    if (this.#hasPromptLogprobs || sequence.sampling.promptLogprobs === undefined) return undefined;
    this.#hasPromptLogprobs = true;
    return sequence.promptLogprobs;
  }
}

function numSampled({ n, bestOf }: GenerateRequest): number {
  return bestOf ?? n ?? 1;
}
