import type { SamplingOptions } from '@kvasir/engine';
import { samplingFlags, samplingOptions } from '../commands/sampling-flags.js';
import { closestName } from '../flags/closest-name.js';
import type { Flag, FlagValue } from '../flags/flag.js';
import { readValue } from '../flags/read-value.js';
import { UsageError } from '../flags/usage-error.js';

/** Sampling of a chat, by the names of the flags; each can change between two answers. */
export class ChatParams {
  readonly #flags: readonly Flag[];
  readonly #values: Map<string, FlagValue>;

  /** @param maxTokens - The flag of the command, for its default. */
  constructor(maxTokens: Flag, values: ReadonlyMap<string, FlagValue>) {
    const seed: Flag = { kind: 'integer', name: 'seed', minimum: 0, description: 'Seed of each answer.' };
    this.#flags = [maxTokens, ...samplingFlags, seed];
    this.#values = new Map(this.#flags.flatMap(({ name }) => (values.has(name) ? [[name, values.get(name)!]] : [])));
  }

  get options(): SamplingOptions {
    return samplingOptions(this.#values);
  }

  /** `temperature=0.7 top-p=0.9`; those that the model decides are marked so. */
  describe(): string {
    return this.#flags
      .map(({ name }) => `${name}=${this.#values.get(name) ?? (name === 'seed' ? 'random' : "the model's")}`)
      .join(' ');
  }

  /**
   * Changes what `text` (`temperature=0.7 top-p=0.9`) names: all of it or, on an error, nothing.
   * @throws `UsageError` For a name or value that cannot be.
   */
  change(text: string): void {
    const changes = text.split(/\s+/).map((pair) => this.#read(pair));
    for (const [name, value] of changes) this.#values.set(name, value);
  }

  #read(pair: string): readonly [string, FlagValue] {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at < 0 ? undefined : at).replaceAll('_', '-');
    const flag = this.#flags.find((candidate) => candidate.name === name);
    if (flag === undefined) {
      const names = this.#flags.map((each) => each.name);
      const closest = closestName(name, names);
      throw new UsageError(
        `unknown parameter ${name}${closest === undefined ? `: expected one of ${names.join(', ')}` : `; did you mean ${closest}?`}`,
      );
    }
    if (at < 0) throw new UsageError(`${name}: expected a value, as in ${name}=1`);
    return [name, readValue(flag, pair.slice(at + 1), name)];
  }
}
