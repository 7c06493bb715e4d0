import { measureInt8Peak, measureReadBandwidth } from '@kvasir/kernels-cpu';
import { median } from '../statistics.js';

/** What the machine can do at most, measured in the rounds of the engines: on a shared host it moves with them. */
export class Ceilings {
  readonly #numThreads: number;
  readonly #readBytesPerSecond: number[] = [];
  readonly #int8OpsPerSecond: number[] = [];

  constructor(numThreads: number) {
    this.#numThreads = numThreads;
  }

  /** Takes one sample of each; a fraction of a second. */
  async sample(): Promise<void> {
    this.#readBytesPerSecond.push(await measureReadBandwidth({ numThreads: this.#numThreads }));
    const peak = await measureInt8Peak({ numThreads: this.#numThreads });
    if (peak !== undefined) this.#int8OpsPerSecond.push(peak);
  }

  /** Median of the samples. */
  get readBytesPerSecond(): number {
    return median(this.#readBytesPerSecond);
  }

  /** Median of the samples; `undefined` on a path without an int8 dot product. */
  get int8OpsPerSecond(): number | undefined {
    return this.#int8OpsPerSecond.length === 0 ? undefined : median(this.#int8OpsPerSecond);
  }
}
