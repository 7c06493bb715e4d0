import { readFile } from 'node:fs/promises';
import { closestName } from './closest-name.js';
import { type Flag, type FlagValue, findFlag } from './flag.js';
import { readValue } from './read-value.js';
import { UsageError } from './usage-error.js';

/**
 * Reads flags from a YAML file: one mapping of long names (with `-` or `_`) to scalars, or lists of them where a flag may be repeated.
 * @throws {@link UsageError} For an unreadable file, a key that is no flag, or a value of another kind.
 */
export async function readConfigFile(path: string, flags: readonly Flag[]): Promise<Map<string, FlagValue>> {
  const document = await parseYaml(path);
  const values = new Map<string, FlagValue>();
  if (document === null || document === undefined) return values;
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new UsageError(`--config ${path}: expected a mapping of flag names to values at the top level`);
  }
  for (const [key, value] of Object.entries(document)) {
    const name = key.replaceAll('_', '-');
    const flag = name === 'config' ? undefined : findFlag(flags, name);
    if (flag === undefined) {
      const closest = closestName(
        name,
        flags.map((candidate) => candidate.name),
      );
      throw new UsageError(
        `--config ${path}: unknown key '${key}'${closest === undefined ? '' : `; did you mean '${closest}'?`}`,
      );
    }
    values.set(flag.name, readEntry(flag, value, key, path));
  }
  return values;
}

function readEntry(flag: Flag, value: unknown, key: string, path: string): FlagValue {
  const where = `'${key}' in ${path}`;
  if (flag.kind === 'list' && Array.isArray(value)) {
    if (value.length > 0 && value.every(isScalar)) return readValue(flag, value.join('\n'), where);
    throw new UsageError(`--config ${path}: '${key}' must be a string or a list of strings that is not empty`);
  }
  if (isScalar(value)) return readValue(flag, String(value), where);
  throw new UsageError(`--config ${path}: '${key}' must be a string, a number or a boolean`);
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

async function parseYaml(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--config ${path}: cannot read it (${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  // Few starts use a config file, so the parser is loaded only for them.
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new UsageError(`--config ${path}: not valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}
