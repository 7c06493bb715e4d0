/** Merges the best pair again and again until none is left: the definition, O(n^2) and without shared code. */
export function mergeNaively(
  symbols: readonly string[],
  priority: (left: string, right: string) => number | undefined,
): string[] {
  const merged = [...symbols];
  for (;;) {
    let best = -1;
    let bestPriority = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < merged.length; i++) {
      const candidate = priority(merged[i]!, merged[i + 1]!);
      if (candidate !== undefined && candidate < bestPriority) {
        best = i;
        bestPriority = candidate;
      }
    }
    if (best < 0) return merged;
    merged.splice(best, 2, merged[best]! + merged[best + 1]!);
  }
}
