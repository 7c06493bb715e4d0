/** Fewer expected draws than this are counted together with the next rarer ones: chi-square holds for large counts only. */
const SMALLEST_CELL = 20;

/**
 * Bound on the probability that draws from `probabilities` look as odd as `counts`, by Pearson's chi-square: 0 where something impossible
 * was drawn. Never below the true tail: Chernoff's bound, `P(X >= x) <= e^((k - x) / 2) (x / k)^(k / 2)` for k degrees of freedom.
 */
export function chanceOf(counts: readonly number[], probabilities: readonly number[]): number {
  if (probabilities.some((p, id) => p === 0 && counts[id]! > 0)) return 0;
  const cells = cellsOf(counts, probabilities);
  const degrees = cells.length - 1;
  const chiSquare = cells.reduce((sum, { seen, expected }) => sum + (seen - expected) ** 2 / expected, 0);
  if (chiSquare <= degrees || degrees === 0) return 1;
  return Math.exp((degrees - chiSquare) / 2) * (chiSquare / degrees) ** (degrees / 2);
}

interface Cell {
  readonly seen: number;
  readonly expected: number;
}

function cellsOf(counts: readonly number[], probabilities: readonly number[]): Cell[] {
  const numDraws = counts.reduce((sum, count) => sum + count, 0);
  const likeliestFirst = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]!);
  const cells: Cell[] = [];
  for (const id of likeliestFirst) {
    const cell = { seen: counts[id]!, expected: numDraws * probabilities[id]! };
    const last = cells.at(-1);
    if (last === undefined || last.expected >= SMALLEST_CELL) cells.push(cell);
    else cells.splice(-1, 1, joined(last, cell));
  }
  const isShort = cells.length > 1 && cells.at(-1)!.expected < SMALLEST_CELL;
  return isShort ? [...cells.slice(0, -2), joined(cells.at(-2)!, cells.at(-1)!)] : cells;
}

function joined(a: Cell, b: Cell): Cell {
  return { seen: a.seen + b.seen, expected: a.expected + b.expected };
}
