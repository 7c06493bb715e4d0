const { FC_RUNS, FC_PATH } = process.env;

/**
 * Coverage floors: how often each case must have come up per run, so that a generator that drifts away fails.
 * Not asked for when one case is replayed.
 * @param defaultRuns - Runs of the property without `FC_RUNS`, as given to {@link fcParameters}.
 */
export function expectReached(
  reached: Readonly<Record<string, number>>,
  floors: Readonly<Record<string, number>>,
  defaultRuns: number,
): void {
  if (FC_PATH !== undefined) return;
  const numRuns = FC_RUNS === undefined ? defaultRuns : Number(FC_RUNS);
  for (const [what, floor] of Object.entries(floors)) {
    const perRun = (reached[what] ?? 0) / numRuns;
    if (perRun > floor) continue;
    throw new Error(`'${what}' came up ${perRun} times a run, expected more than ${floor}: the generator has drifted`);
  }
}
