import type * as PromClient from 'prom-client';

/** Where series go and how they are labelled. */
export interface SeriesOptions {
  readonly client: typeof PromClient;
  readonly registry: PromClient.Registry;
  /** Before the colon of every name. */
  readonly prefix: string;
  /** Of every series. */
  readonly labels: Readonly<Record<string, string>>;
}

/** One series of a scraped family: its own labels and its value. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

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
  gauges(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Sample>): void {
    this.#scraped(this.#options.client.Gauge, name, help, labelNames, read);
  }

  /** A counter that somebody else counts, read at each scrape; `undefined` is 0. */
  counter(name: string, help: string, read: () => number | undefined): void {
    this.counters(name, help, [], () => [[{}, read() ?? 0]]);
  }

  /** A family of counters that somebody else counts, read at each scrape. */
  counters(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Sample>): void {
    this.#scraped(this.#options.client.Counter, `${name}_total`, help, labelNames, read);
  }

  /** A histogram, there with zeros before its first observation. @returns Observes a value; `undefined` is none. */
  histogram(name: string, help: string, buckets: readonly number[]): (value: number | undefined) => void {
    const { client, labels } = this.#options;
    const histogram = new client.Histogram({ ...this.#describe(name, help, []), buckets: [...buckets] });
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
    read: () => Iterable<Sample>,
  ): void {
    const { labels } = this.#options;
    new Metric({
      ...this.#describe(name, help, labelNames),
      collect() {
        this.reset();
        for (const [own, value] of read()) this.inc({ ...labels, ...own }, value);
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
