const marker = Symbol.for('kvasir.error');

/** Options every {@link KvasirError} takes. */
export interface KvasirErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * Base of every error that Kvasir throws on purpose.
 * `code` is stable across versions; the message says what, got, expected and what to do.
 */
export class KvasirError extends Error {
  /** Stable machine-readable name, such as `ERR_UNKNOWN_SEQUENCE`. */
  readonly code: string;

  constructor(code: string, message: string, options: KvasirErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    Object.defineProperty(this, marker, { value: true });
  }

  /** True for a `KvasirError` of any loaded copy of this package; optionally of one `code`. */
  static isInstance(value: unknown, code?: string): value is KvasirError {
    if (!(value instanceof Error) || (value as { [marker]?: true })[marker] !== true) return false;
    return code === undefined || (value as KvasirError).code === code;
  }
}

/** A caller passed something unusable; nothing has changed. `parameter` names what was wrong. */
export class InvalidArgumentError extends KvasirError {
  readonly parameter: string;

  constructor(parameter: string, message: string, options: KvasirErrorOptions = {}) {
    super('ERR_INVALID_ARGUMENT', message, options);
    this.parameter = parameter;
  }
}

/** A structure found itself inconsistent: a bug in Kvasir. `facts` holds every number involved. */
export class InvariantError extends KvasirError {
  readonly facts: Readonly<Record<string, number | string | boolean>>;

  constructor(message: string, facts: Readonly<Record<string, number | string | boolean>> = {}) {
    const numbers = Object.entries(facts)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
    super('ERR_INVARIANT', numbers === '' ? message : `${message} (${numbers})`);
    this.facts = facts;
  }
}

/** A part was asked for something it does not build yet; `feature` names it. Nothing has changed. */
export class UnsupportedError extends KvasirError {
  readonly feature: string;

  constructor(feature: string, message: string, options: KvasirErrorOptions = {}) {
    super('ERR_UNSUPPORTED', message, options);
    this.feature = feature;
  }
}
