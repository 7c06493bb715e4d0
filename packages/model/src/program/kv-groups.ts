import type { KvGroupSpec } from '@kvasir/interfaces';

/**
 * Splits layers into KV groups of equally many layers, so that a block of any group has the same bytes and all share one pool
 * (vLLM's rule for hybrid models). The group size is the smaller of the two kinds' counts; where it does not divide the other, or windows
 * differ, one full group keeps every token and attention alone applies the window.
 * @param windows - For each layer its window in tokens, or `undefined` for full attention.
 */
export function groupKvLayers(windows: readonly (number | undefined)[]): KvGroupSpec[] {
  const full = indices(windows, undefined);
  const sizes = [...new Set(windows.filter((window) => window !== undefined))];
  const [window] = sizes;
  if (window === undefined || sizes.length > 1) return [{ kind: 'full', layers: windows.map((_, layer) => layer) }];
  const windowed = indices(windows, window);
  if (full.length === 0) return [{ kind: 'window', layers: windowed, window }];
  const size = Math.min(full.length, windowed.length);
  if (full.length % size !== 0 || windowed.length % size !== 0)
    return [{ kind: 'full', layers: windows.map((_, layer) => layer) }];
  return [
    ...chunks(full, size).map((layers) => ({ kind: 'full' as const, layers })),
    ...chunks(windowed, size).map((layers) => ({ kind: 'window' as const, layers, window })),
  ];
}

function indices(windows: readonly (number | undefined)[], wanted: number | undefined): number[] {
  return windows.flatMap((window, layer) => (window === wanted ? [layer] : []));
}

function chunks(layers: readonly number[], size: number): number[][] {
  return Array.from({ length: layers.length / size }, (_, index) => layers.slice(index * size, (index + 1) * size));
}
