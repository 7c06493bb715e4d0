/** A metric as Prometheus reads it. */
export interface MetricFamily {
  readonly type: string;
  /** Label sets of its samples, `le` left out; of a histogram those of its buckets. */
  readonly labels: readonly Readonly<Record<string, string>>[];
  /** `le` of the buckets of one label set, in order. */
  readonly bounds: readonly string[];
}

/** Reads the text format of Prometheus, version 0.0.4. Every sample must belong to a metric whose type was said before. */
export function parseExposition(text: string): ReadonlyMap<string, MetricFamily> {
  const families = new Map<string, { type: string; labels: Record<string, string>[]; bounds: string[] }>();
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) families.set(name, { type, labels: [], bounds: [] });
    if (line === '' || line.startsWith('#')) continue;
    const [, sample, labelText = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (sample === undefined) throw new Error(`not a sample: ${line}`);
    const family = families.get(sample) ?? families.get(sample.replace(/_(bucket|sum|count)$/, ''));
    if (family === undefined) throw new Error(`a sample without a type: ${line}`);
    const { le, ...labels } = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]),
    ) as Record<string, string>;
    family.labels.push(labels);
    if (le !== undefined && JSON.stringify(labels) === JSON.stringify(family.labels[0])) family.bounds.push(le);
  }
  return families;
}
