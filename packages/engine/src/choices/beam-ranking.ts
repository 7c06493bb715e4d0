import type { BeamParams, GenerateRequest, TokenLogprob } from '@kvasir/interfaces';

/** A beam as the chain of its tokens, last first; beams share what they have in common. */
export interface Beam {
  /** `undefined` for the root, which is the prompt. */
  readonly token: TokenLogprob | undefined;
  /** Alternatives at that position; empty unless they are asked for. */
  readonly top: readonly TokenLogprob[];
  readonly parent: Beam | undefined;
  /** Place of the parent among the beams of its round. */
  readonly parentIndex: number;
  /** Output tokens, the one that ended it included. */
  readonly numTokens: number;
  readonly cumulativeLogprob: number;
  /** Its last token is an EOS or a stop token. */
  readonly hasEnded: boolean;
}

/** The prompt. */
export const ROOT: Beam = {
  token: undefined,
  top: [],
  parent: undefined,
  parentIndex: 0,
  numTokens: 0,
  cumulativeLogprob: 0,
  hasEnded: false,
};

/** Beams with a token, first to last. O(length). */
export function chainOf(beam: Beam): readonly Beam[] {
  const chain: Beam[] = [];
  for (let at: Beam | undefined = beam; at?.token !== undefined; at = at.parent) chain.push(at);
  return chain.reverse();
}

/** Tokens that complete a beam. */
export function endIdsOf({ sampling }: GenerateRequest, eosTokenIds: readonly number[]): ReadonlySet<number> {
  return new Set([...sampling.stopTokenIds, ...(sampling.ignoreEos ? [] : eosTokenIds)]);
}

/** Next tokens looked at for each beam: vLLM's `2 * width`, and more where so many may end that `width` would not go on. */
export function numCandidatesOf({ width }: BeamParams, numEnds: number, vocabSize: number): number {
  return Math.min(vocabSize, Math.max(2 * width, width + numEnds));
}

/** What a {@link BeamRanking} scores by. */
export interface BeamRankingOptions {
  readonly beam: BeamParams;
  /** Beams that will be returned. */
  readonly n: number;
  readonly promptLength: number;
  readonly maxLength: number;
}

/** Completed beams of one search, and when no other can matter any more. */
export class BeamRanking {
  readonly #options: BeamRankingOptions;
  readonly #completed: Beam[] = [];

  constructor(options: BeamRankingOptions) {
    this.#options = options;
  }

  /** As vLLM scores: prompt and output count as length, an ending token does not. */
  scoreOf(beam: Beam): number {
    return this.#score(beam.cumulativeLogprob, this.#lengthOf(beam));
  }

  complete(beam: Beam): void {
    this.#completed.push(beam);
  }

  /** Whether the search stops at its `width`-th completed beam, and has them. Beams that still run are then left out. */
  get hasStoppedEarly(): boolean {
    const { earlyStopping, width } = this.#options.beam;
    return earlyStopping && this.#completed.length >= width;
  }

  /** Whether none of `running` can be among the best any more: a log-probability only falls. */
  isSettled(running: readonly Beam[]): boolean {
    const { n, maxLength, beam } = this.#options;
    if (this.#completed.length < n) return false;
    const worst = Math.min(...this.best([]).map((each) => this.scoreOf(each)));
    return running.every((each) => {
      // With a penalty above 0 a longer beam scores higher, below 0 a shorter one.
      const length = beam.lengthPenalty >= 0 ? maxLength : this.#lengthOf(each);
      return this.#score(each.cumulativeLogprob, length) < worst;
    });
  }

  /** The `n` best of the completed beams and `running`, best first; equal ones in the order in which they were found. */
  best(running: readonly Beam[]): readonly Beam[] {
    return [...this.#completed, ...running].sort((a, b) => this.scoreOf(b) - this.scoreOf(a)).slice(0, this.#options.n);
  }

  #score(cumulativeLogprob: number, length: number): number {
    return cumulativeLogprob / length ** this.#options.beam.lengthPenalty;
  }

  #lengthOf({ numTokens, hasEnded }: Beam): number {
    return Math.max(1, this.#options.promptLength + numTokens - (hasEnded ? 1 : 0));
  }
}
