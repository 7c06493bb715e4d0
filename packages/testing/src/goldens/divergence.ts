/**
 * KL(oracle || ours) in nats over the oracle's listed tokens plus one bucket for all others.
 * @param oracle - Log-probabilities of the oracle's most likely tokens.
 * @param ours - Our log-probability of a token.
 */
export function topDivergence(
  oracle: readonly (readonly [id: number, logprob: number])[],
  ours: (id: number) => number,
): number {
  let divergence = 0;
  let oracleMass = 0;
  let ourMass = 0;
  for (const [id, logprob] of oracle) {
    const own = ours(id);
    divergence += Math.exp(logprob) * (logprob - own);
    oracleMass += Math.exp(logprob);
    ourMass += Math.exp(own);
  }
  const oracleRest = Math.max(1e-12, 1 - oracleMass);
  const ourRest = Math.max(1e-12, 1 - ourMass);
  return divergence + oracleRest * Math.log(oracleRest / ourRest);
}
