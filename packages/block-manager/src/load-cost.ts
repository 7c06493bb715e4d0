/** What a load saves and what it takes, as measured. */
export interface LoadCosts {
  /** Time that computing one more token of a prompt takes. */
  readonly msPerToken: number;
  /** Time that moving one block from host to pool takes. */
  readonly msPerBlock: number;
}

/**
 * The cost model of a host tier: a load is worth it when it takes less time than computing the tokens.
 * @param costs - Read each time, so that measurements of a running engine count at once.
 * @returns For `hostTier.isWorthLoading`.
 */
export function whenCheaperThanComputing(costs: () => LoadCosts): (numTokens: number, numBlocks: number) => boolean {
  return (numTokens, numBlocks) => {
    const { msPerToken, msPerBlock } = costs();
    return numBlocks * msPerBlock < numTokens * msPerToken;
  };
}
