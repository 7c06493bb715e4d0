import type { Flag, FlagValue, IntegerFlag, NumberFlag } from './flag.js';
import { UsageError } from './usage-error.js';

const POWERS: Readonly<Record<string, number>> = {
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/**
 * Reads the text of a flag.
 * @param where - How the user wrote it (`--port`, `KVASIR_PORT`, `port in serve.yaml`), for the message.
 * @throws {@link UsageError}
 */
export function readValue(flag: Flag, text: string, where: string): FlagValue {
  switch (flag.kind) {
    case 'string':
      if (text === '') throw new UsageError(`${where}: expected a value, got an empty string`);
      return text;
    case 'list':
      return readList(text, where);
    case 'choice':
      if (!flag.choices.includes(text)) {
        throw new UsageError(`${where}: expected one of ${flag.choices.join(', ')}, got '${text}'`);
      }
      return text;
    case 'boolean':
      if (['true', '1', 'yes', 'on'].includes(text.toLowerCase())) return true;
      if (['false', '0', 'no', 'off'].includes(text.toLowerCase())) return false;
      throw new UsageError(`${where}: expected true or false, got '${text}'`);
    case 'number':
      return readNumber(flag, text, where);
    default:
      return readInteger(flag, text, where);
  }
}

/** One a line: a variable can hold several, an argument hardly ever does. */
function readList(text: string, where: string): readonly string[] {
  const values = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (values.length === 0) throw new UsageError(`${where}: expected a value, got an empty string`);
  return values;
}

function readNumber(flag: NumberFlag, text: string, where: string): number {
  const { minimum, maximum, isMinimumExcluded = false } = flag;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= minimum && value <= maximum) || (isMinimumExcluded && value === minimum)) {
    const from = isMinimumExcluded ? `above ${minimum} and up` : `from ${minimum}`;
    throw new UsageError(`${where}: expected a number ${from} to ${maximum}, got '${text}'`);
  }
  return value;
}

function readInteger(flag: IntegerFlag, text: string, where: string): number {
  const range = flag.maximum === undefined ? `of at least ${flag.minimum}` : `from ${flag.minimum} to ${flag.maximum}`;
  const value = flag.kind === 'size' ? readSize(text) : /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < flag.minimum || (flag.maximum !== undefined && value > flag.maximum)) {
    const hint = flag.kind === 'size' ? ', such as 536870912 or 512M' : '';
    throw new UsageError(`${where}: expected a whole number ${range}${hint}, got '${text}'`);
  }
  return value;
}

function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgtKMGT]?)$/.exec(text);
  if (match === null) return Number.NaN;
  return Math.floor(Number(match[1]) * (POWERS[match[2] as string] ?? 1));
}
