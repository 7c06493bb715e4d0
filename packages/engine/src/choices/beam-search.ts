import type { FinishReason, PositionLogprobs, SamplingParams } from '@kvasir/interfaces';
import type { Sequence } from '../sequence.js';
import { SequenceText, textOptionsOf } from '../sequence-text.js';
import type { RowOutput, StepOutput } from '../step-output.js';
import { type Beam, BeamRanking, chainOf, endIdsOf, numCandidatesOf, ROOT } from './beam-ranking.js';
import type { ChoiceMaker } from './choice-maker.js';
import type { ChoiceMakerOptions } from './sampled-choices.js';

/**
 * Beam search as vLLM runs it: of the `2 * width` likeliest next tokens of each beam, those that end one complete it, and the `width`
 * likeliest others are the next beams. Equal ones keep the order of their beams, then of the tokens.
 *
 * Each beam of each round is a sequence of one output token that begins as a fork of the beam it continues, so a round computes one token
 * a beam. An ended one keeps its blocks until the next round has been queued.
 */
export class BeamSearch implements ChoiceMaker {
  readonly #options: ChoiceMakerOptions;
  readonly #ranking: BeamRanking;
  readonly #maxLength: number;
  readonly #endIds: ReadonlySet<number>;
  #beams: readonly Beam[] = [];
  /** What the round's sequences found, by beam. */
  readonly #found: { readonly sequence: Sequence; readonly logprobs: PositionLogprobs }[] = [];
  #numFound = 0;
  #promptLogprobs: Sequence['promptLogprobs'] | undefined;

  constructor(options: ChoiceMakerOptions) {
    const { request, promptLength } = options.running;
    const { sampling, n = 1 } = request;
    this.#options = options;
    this.#maxLength = Math.min(promptLength + sampling.maxTokens, options.limits.maxModelLen);
    this.#endIds = endIdsOf(request, options.eosTokenIds);
    this.#ranking = new BeamRanking({ beam: request.beam!, n, promptLength, maxLength: this.#maxLength });
  }

  begin(): void {
    const { running, starter } = this.#options;
    const { promptTokenIds, sampling } = running.request;
    this.#beams = [ROOT];
    starter.start(running, {
      index: 0,
      promptTokenIds,
      maxLength: promptTokenIds.length + 1,
      sampling: { ...this.#stepSampling(), promptLogprobs: sampling.promptLogprobs },
      parks: true,
    });
  }

  take(sequence: Sequence, row: RowOutput, output: StepOutput): FinishReason {
    this.#found[sequence.index] = { sequence, logprobs: output.tokenLogprobs(row)[0]! };
    if (sequence.sampling.promptLogprobs !== undefined) this.#promptLogprobs = sequence.promptLogprobs;
    if (++this.#numFound < this.#beams.length) return 'length';
    this.#numFound = 0;
    const next = this.#rank();
    const isOver = this.#lengthOf(next[0]!) === this.#maxLength;
    if (isOver || this.#ranking.hasStoppedEarly || this.#ranking.isSettled(next)) return this.#finish(next);
    this.#startRound(next);
    return 'length';
  }

  /** @returns The beams of the next round; those that ended are given to the ranking. */
  #rank(): readonly Beam[] {
    const { sampling, beam } = this.#options.running.request;
    const candidates: Beam[] = [];
    for (const [index, parent] of this.#beams.entries()) {
      const { top } = this.#found[index]!.logprobs;
      const alternatives = sampling.logprobs === undefined ? [] : top.slice(0, sampling.logprobs);
      for (const token of top) {
        const isEnd = this.#endIds.has(token.tokenId);
        // An end is impossible before minTokens.
        if (isEnd && parent.numTokens < sampling.minTokens) continue;
        const candidate: Beam = {
          token,
          top: alternatives,
          parent,
          parentIndex: index,
          numTokens: parent.numTokens + 1,
          cumulativeLogprob: parent.cumulativeLogprob + token.logprob,
          hasEnded: isEnd,
        };
        if (isEnd) this.#ranking.complete(candidate);
        else candidates.push(candidate);
      }
    }
    return candidates.sort((a, b) => b.cumulativeLogprob - a.cumulativeLogprob).slice(0, beam!.width);
  }

  #startRound(next: readonly Beam[]): void {
    const { running, starter } = this.#options;
    const parents = this.#found.slice(0, this.#beams.length).map(({ sequence }) => sequence);
    for (const [index, beam] of next.entries()) {
      const parent = parents[beam.parentIndex]!;
      const promptTokenIds = new Int32Array(parent.promptLength + 1);
      promptTokenIds.set(parent.tokens.subarray(0, parent.promptLength));
      promptTokenIds[parent.promptLength] = beam.token!.tokenId;
      starter.start(running, {
        index,
        promptTokenIds,
        maxLength: promptTokenIds.length + 1,
        sampling: this.#stepSampling(),
        forkOf: parent.id,
        parks: true,
      });
    }
    for (const parent of parents) starter.unpark(parent);
    this.#beams = next;
  }

  #finish(next: readonly Beam[]): FinishReason {
    const best = this.#ranking.best(this.#ranking.hasStoppedEarly ? [] : next);
    const { request, stream } = this.#options.running;
    for (const beam of best) this.#options.running.completionTokens += beam.numTokens;
    const usage = this.#options.running.usage();
    for (const [index, beam] of best.entries()) {
      const tokenIds = chainOf(beam).map(({ token }) => token!.tokenId);
      const last = tokenIds.at(-1)!;
      const isStopToken = beam.hasEnded && request.sampling.stopTokenIds.includes(last);
      stream.push({
        index,
        text: this.#textOf(tokenIds, beam.hasEnded),
        tokenIds,
        logprobs: request.sampling.logprobs === undefined ? undefined : this.#logprobsOf(beam),
        promptLogprobs: index === 0 ? this.#promptLogprobs : undefined,
        finishReason: beam.hasEnded ? 'stop' : 'length',
        stopReason: isStopToken ? last : undefined,
        cumulativeLogprob: beam.cumulativeLogprob,
        score: this.#ranking.scoreOf(beam),
        usage,
      });
    }
    return best[0]!.hasEnded ? 'stop' : 'length';
  }

  #textOf(tokenIds: readonly number[], hasEnded: boolean): string {
    const { running, tokenizer } = this.#options;
    const decoder = new SequenceText(tokenizer, textOptionsOf(running.request));
    let text = '';
    for (const [i, id] of tokenIds.entries()) {
      text += hasEnded && i === tokenIds.length - 1 ? decoder.pushMarker(id) : decoder.push(id);
    }
    return text + decoder.flush();
  }

  #logprobsOf(beam: Beam): PositionLogprobs[] {
    return chainOf(beam).map(({ token, top }) => ({ chosen: token!, top }));
  }

  #lengthOf(beam: Beam): number {
    return this.#options.running.promptLength + beam.numTokens;
  }

  /** One greedy token that nothing ends but its length, with the candidates as its alternatives. */
  #stepSampling(): SamplingParams {
    const { sampling, beam } = this.#options.running.request;
    const { vocabSize } = this.#options.limits;
    return {
      ...sampling,
      temperature: 0,
      maxTokens: 1,
      minTokens: 0,
      stopTokenIds: [],
      ignoreEos: true,
      logprobs: numCandidatesOf(beam!, this.#endIds.size, vocabSize),
      promptLogprobs: undefined,
    };
  }
}
