/** One prompt that is being computed, as far as its share of a step goes. */
export interface PrefillDemand {
  /** Tokens that are left to compute. */
  readonly numLeft: number;
  /** Tokens that it gets in this step. */
  share: number;
}

/**
 * Divides the prefill tokens of a step. One half goes to the prompts in their order, so that the first one always advances
 * and is done after at most twice the steps that it would need alone. The other half, and what the first leaves, goes to the
 * shortest first: a short prompt is not held up by long ones, however many there are.
 * @param demands - In order of service. Their shares are written.
 * @param maxShare - Most that one of them may get.
 */
export function sharePrefill(demands: readonly PrefillDemand[], budget: number, maxShare: number): void {
  let wanted = 0;
  for (const demand of demands) {
    demand.share = Math.min(demand.numLeft, maxShare);
    wanted += demand.share;
  }
  if (wanted <= budget) return;

  let left = budget;
  let inOrder = (budget + 1) >> 1;
  for (const demand of demands) {
    demand.share = Math.min(demand.numLeft, inOrder, maxShare);
    inOrder -= demand.share;
    left -= demand.share;
  }
  while (left > 0) {
    let shortest: PrefillDemand | undefined;
    for (const demand of demands) {
      if (demand.share === Math.min(demand.numLeft, maxShare)) continue;
      if (shortest === undefined || demand.numLeft < shortest.numLeft) shortest = demand;
    }
    if (shortest === undefined) return;
    const more = Math.min(Math.min(shortest.numLeft, maxShare) - shortest.share, left);
    shortest.share += more;
    left -= more;
  }
}

/**
 * Tokens that one more prompt, with `numLeft` tokens to compute, would get if it came last in order.
 * @param demands - In order of service; their shares are overwritten.
 */
export function shareOfNewcomer(
  demands: readonly PrefillDemand[],
  numLeft: number,
  budget: number,
  maxShare: number,
): number {
  let wanted = 0;
  for (const demand of demands) wanted += Math.min(demand.numLeft, maxShare);
  if (wanted + numLeft <= budget) return Math.min(numLeft, maxShare);

  let left = budget;
  let inOrder = (budget + 1) >> 1;
  for (const demand of demands) {
    const first = Math.min(demand.numLeft, inOrder, maxShare);
    inOrder -= first;
    left -= first;
    if (demand.numLeft <= numLeft) left -= Math.min(demand.numLeft, maxShare) - first;
  }
  return Math.max(0, Math.min(numLeft, maxShare, left));
}
