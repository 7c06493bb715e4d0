/** Value of a parsed flag. */
export type FlagValue = string | number | boolean | readonly string[];

interface FlagCommon {
  /** Long name without dashes: `max-model-len`. */
  readonly name: string;
  readonly description: string;
  /** Further long names, those of other servers say. Not shown as flags of their own. */
  readonly aliases?: readonly string[];
  /** What `--help` shows as the default when there is no fixed one. */
  readonly defaultText?: string;
}

/** Free text. */
interface StringFlag extends FlagCommon {
  readonly kind: 'string';
  readonly default?: string;
  /** Placeholder in `--help`. */
  readonly placeholder?: string;
}

/**
 * Texts, one each time the flag is given, whole: commas are part of them. In a variable one a line, in a file a list or
 * one text. The command line replaces what the variable says, it does not add to it.
 */
interface ListFlag extends FlagCommon {
  readonly kind: 'list';
  readonly default?: readonly string[];
  /** Placeholder in `--help`. */
  readonly placeholder?: string;
}

/** One of a few words. */
interface ChoiceFlag extends FlagCommon {
  readonly kind: 'choice';
  readonly choices: readonly string[];
  readonly default?: string;
}

/** A whole number; sizes take `k m g t` (powers of 1000) and `K M G T` (powers of 1024), as vLLM does. */
export interface IntegerFlag extends FlagCommon {
  readonly kind: 'integer' | 'size';
  readonly minimum: number;
  readonly maximum?: number;
  readonly default?: number;
}

/** A decimal number. */
export interface NumberFlag extends FlagCommon {
  readonly kind: 'number';
  readonly minimum: number;
  readonly maximum: number;
  /** Whether `minimum` itself is refused. */
  readonly isMinimumExcluded?: boolean;
  readonly default?: number;
}

/** On or off: `--name`, `--no-name`. */
interface BooleanFlag extends FlagCommon {
  readonly kind: 'boolean';
  readonly default?: boolean;
}

/** One flag of a command. */
export type Flag = StringFlag | ListFlag | ChoiceFlag | IntegerFlag | NumberFlag | BooleanFlag;

/** Name of the environment variable behind a flag: `KVASIR_MAX_MODEL_LEN`. */
export function environmentName(flag: Flag): string {
  return `KVASIR_${flag.name.replaceAll('-', '_').toUpperCase()}`;
}

/** The flag that `name` means, be it an alias. */
export function findFlag(flags: readonly Flag[], name: string): Flag | undefined {
  return flags.find((flag) => flag.name === name || flag.aliases?.includes(name) === true);
}
