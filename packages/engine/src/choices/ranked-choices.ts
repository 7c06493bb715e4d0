import type { PositionLogprobs, SamplingParams } from '@kvasir/interfaces';
import type { Sequence } from '../sequence.js';
import type { ChoiceChunk } from '../take-chunk.js';
import { SampledChoices } from './sampled-choices.js';

/** A whole choice and what it is ranked by. */
interface Candidate {
  text: string;
  readonly tokenIds: number[];
  readonly logprobs: PositionLogprobs[];
  cumulativeLogprob: number;
  last: ChoiceChunk | undefined;
}

/**
 * `bestOf` independent choices of which the `n` best are returned, best first, when all have ended.
 *
 * As OpenAI's legacy completions say, the best is the one with the highest log-probability a token; equal ones keep their order.
 * Log-probabilities are the model's own, before temperature and filters, and are computed for ranking whether or not they are asked for.
 */
export class RankedChoices extends SampledChoices {
  readonly #candidates = new Map<number, Candidate>();
  #promptLogprobs: Sequence['promptLogprobs'] | undefined;
  #numOpen = 0;

  override begin(): void {
    super.begin();
    this.#numOpen = this.running.sequences.size;
  }

  protected override samplingOf(index: number): SamplingParams {
    const sampling = super.samplingOf(index);
    return { ...sampling, logprobs: sampling.logprobs ?? 0 };
  }

  protected override push(sequence: Sequence, chunk: ChoiceChunk): void {
    this.#promptLogprobs ??= this.takePromptLogprobs(sequence);
    const candidate = this.#candidates.get(sequence.index) ?? createCandidate();
    this.#candidates.set(sequence.index, candidate);
    candidate.text += chunk.text;
    for (const id of chunk.tokenIds) candidate.tokenIds.push(id);
    for (const each of chunk.logprobs ?? []) {
      candidate.logprobs.push(each);
      candidate.cumulativeLogprob += each.chosen.logprob;
    }
    if (chunk.finishReason === undefined) return;
    candidate.last = chunk;
    if (--this.#numOpen === 0) this.#pushBest();
  }

  #pushBest(): void {
    const { running } = this;
    const { sampling, n } = running.request;
    const ranked = [...this.#candidates]
      .sort(([a, one], [b, other]) => scoreOf(other) - scoreOf(one) || a - b)
      .map(([, candidate]) => candidate);
    for (const [index, candidate] of ranked.slice(0, n ?? 1).entries()) {
      running.stream.push({
        index,
        text: candidate.text,
        tokenIds: candidate.tokenIds,
        logprobs: sampling.logprobs === undefined ? undefined : candidate.logprobs,
        promptLogprobs: index === 0 ? this.#promptLogprobs : undefined,
        finishReason: candidate.last?.finishReason,
        stopReason: candidate.last?.stopReason,
        cumulativeLogprob: candidate.cumulativeLogprob,
        score: scoreOf(candidate),
        usage: running.usage(),
      });
    }
  }
}

function createCandidate(): Candidate {
  return { text: '', tokenIds: [], logprobs: [], cumulativeLogprob: 0, last: undefined };
}

/** Mean log-probability of a token. */
function scoreOf({ cumulativeLogprob, tokenIds }: Candidate): number {
  return cumulativeLogprob / Math.max(1, tokenIds.length);
}
