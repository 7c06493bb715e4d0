import { InvalidCheckpointError } from '../errors.js';

/** Bounds of {@link FieldReader.integer} and {@link FieldReader.number}. */
export interface NumberBounds {
  readonly min?: number;
  readonly max?: number;
}

/** Typed, bounded access to the settings of a model, be they GGUF metadata or a `config.json`. */
export class FieldReader {
  readonly file: string;
  readonly #prefix: string;
  readonly #lookup: (key: string) => unknown;

  /** @param prefix - Put before each key in look-ups (`llama.`) and messages. */
  constructor(file: string, prefix: string, lookup: (key: string) => unknown) {
    this.file = file;
    this.#prefix = prefix;
    this.#lookup = lookup;
  }

  static ofMap(file: string, prefix: string, map: ReadonlyMap<string, unknown>): FieldReader {
    return new FieldReader(file, prefix, (key) => map.get(prefix + key));
  }

  /** @param prefix - Only for messages: the path of `object` within its file. */
  static ofObject(file: string, prefix: string, object: Readonly<Record<string, unknown>>): FieldReader {
    return new FieldReader(file, prefix, (key) => (Object.hasOwn(object, key) ? object[key] : undefined));
  }

  /** The raw value; `null` counts as absent. */
  get(key: string): unknown {
    return this.#lookup(key) ?? undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  integer(key: string, bounds: NumberBounds = {}, fallback?: number): number {
    return this.#number(key, bounds, fallback, 'an integer', Number.isInteger);
  }

  number(key: string, bounds: NumberBounds = {}, fallback?: number): number {
    return this.#number(key, bounds, fallback, 'a number', Number.isFinite);
  }

  optionalInteger(key: string, bounds: NumberBounds = {}): number | undefined {
    return this.has(key) ? this.integer(key, bounds) : undefined;
  }

  optionalNumber(key: string, bounds: NumberBounds = {}): number | undefined {
    return this.has(key) ? this.number(key, bounds) : undefined;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.get(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(key, value, 'true or false');
  }

  optionalString(key: string): string | undefined {
    const value = this.get(key);
    return value === undefined || typeof value === 'string' ? value : this.fail(key, value, 'a string');
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, undefined, 'a string');
  }

  /** A nested object of a `config.json`. */
  object(key: string): FieldReader | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return this.fail(key, value, 'an object');
    return FieldReader.ofObject(this.file, `${this.#prefix}${key}.`, value as Record<string, unknown>);
  }

  /** Name of a key in messages. */
  label(key: string): string {
    return this.#prefix + key;
  }

  fail(key: string, value: unknown, expected: string): never {
    throw new InvalidCheckpointError(this.file, this.label(key), `got ${describe(value)}, expected ${expected}`);
  }

  #number(
    key: string,
    { min = 0, max = 2 ** 31 - 1 }: NumberBounds,
    fallback: number | undefined,
    kind: string,
    accepts: (value: unknown) => boolean,
  ): number {
    const value = this.get(key) ?? fallback;
    if (accepts(value) && (value as number) >= min && (value as number) <= max) return value as number;
    return this.fail(key, value, `${kind} from ${min} to ${max}`);
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'string' ? `'${value.slice(0, 80)}'` : String(value);
}
