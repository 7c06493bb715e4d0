import type * as PromClient from 'prom-client';

/** Where series go and how they are labelled. */
export interface SeriesOptions {
  readonly client: typeof PromClient;
  readonly registry: PromClient.Registry;
  readonly families: SeriesFamilies;
  /** Before the colon of every name. */
  readonly prefix: string;
  /** Of every series. */
  readonly labels: Readonly<Record<string, string>>;
}

/** One series of a scraped family: its own labels and its value. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

type Reader = () => Iterable<Sample>;

/** Families that the {@link Series} of several models have in common: the first of them registers, others add to it. */
export class SeriesFamilies {
  /** What is read at each scrape, by full name. */
  readonly readers = new Map<string, Reader[]>();
  readonly histograms = new Map<string, PromClient.Histogram>();
}

/** Registers metrics under one prefix, all with the same labels of their own. */
export class Series {
  readonly #options: SeriesOptions;

  constructor(options: SeriesOptions) {
    this.#options = options;
  }

  /** A gauge that is read at each scrape; `undefined` is 0. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    this.gauges(name, help, [], () => [[{}, read() ?? 0]]);
  }

  /** A family of gauges, read at each scrape. */
  gauges(name: string, help: string, labelNames: readonly string[], read: Reader): void {
    this.#scraped(this.#options.client.Gauge, name, help, labelNames, read);
  }

  /** A counter that somebody else counts, read at each scrape; `undefined` is 0. */
  counter(name: string, help: string, read: () => number | undefined): void {
    this.counters(name, help, [], () => [[{}, read() ?? 0]]);
  }

  /** A family of counters that somebody else counts, read at each scrape. */
  counters(name: string, help: string, labelNames: readonly string[], read: Reader): void {
    this.#scraped(this.#options.client.Counter, `${name}_total`, help, labelNames, read);
  }

  /**
   * A histogram, there with zeros before its first observation; of a family that is there already, its buckets hold.
   * @returns Observes a value; `undefined` is none.
   */
  histogram(name: string, help: string, buckets: readonly number[]): (value: number | undefined) => void {
    const { client, labels, families } = this.#options;
    const described = this.#describe(name, help, []);
    const histogram =
      families.histograms.get(described.name) ?? new client.Histogram({ ...described, buckets: [...buckets] });
    families.histograms.set(described.name, histogram);
    histogram.zero({ ...labels });
    return (value) => {
      if (value !== undefined) histogram.observe({ ...labels }, value);
    };
  }

  #scraped(
    Metric: typeof PromClient.Gauge | typeof PromClient.Counter,
    name: string,
    help: string,
    labelNames: readonly string[],
    read: Reader,
  ): void {
    const { labels, families } = this.#options;
    const described = this.#describe(name, help, labelNames);
    const labelled = (): readonly Sample[] => Array.from(read(), ([own, value]) => [{ ...labels, ...own }, value]);
    const known = families.readers.get(described.name);
    if (known !== undefined) {
      known.push(labelled);
      return;
    }
    const readers: Reader[] = [labelled];
    families.readers.set(described.name, readers);
    new Metric({
      ...described,
      collect() {
        this.reset();
        for (const each of readers) for (const [all, value] of each()) this.inc({ ...all }, value);
      },
    });
  }

  #describe(name: string, help: string, labelNames: readonly string[]) {
    const { prefix, registry, labels } = this.#options;
    return {
      name: `${prefix}:${name}`,
      help,
      labelNames: [...Object.keys(labels), ...labelNames],
      registers: [registry],
    };
  }
}
