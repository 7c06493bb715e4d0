import { parseArgs } from 'node:util';
import { closestName } from './closest-name.js';
import { readConfigFile } from './config-file.js';
import { environmentName, type Flag, type FlagValue, findFlag } from './flag.js';
import { readValue } from './read-value.js';
import { UsageError } from './usage-error.js';

/** What a command line said. */
export interface ParsedFlags {
  readonly help: boolean;
  /** What was parsed. */
  readonly argv: readonly string[];
  readonly positionals: readonly string[];
  /** By long name; from the command line, else the environment, else the config file, else the default. */
  readonly values: ReadonlyMap<string, FlagValue>;
  /** Names that were given somewhere, not defaulted. */
  readonly given: ReadonlySet<string>;
}

/**
 * Parses the arguments of one command.
 * @throws {@link UsageError} For an unknown flag (naming the closest known one), a bad value or too many positionals.
 */
export async function parseFlags(
  argv: readonly string[],
  flags: readonly Flag[],
  environment: NodeJS.ProcessEnv,
  maxPositionals: number,
): Promise<ParsedFlags> {
  const { help, positionals, values: fromLine } = readCommandLine(argv, flags);
  if (positionals.length > maxPositionals) {
    throw new UsageError(`unexpected argument '${positionals[maxPositionals]}'`);
  }
  const fromEnvironment = readEnvironment(flags, environment);
  const config = fromLine.get('config') ?? fromEnvironment.get('config');
  const fromConfig =
    config === undefined || help ? new Map<string, FlagValue>() : await readConfigFile(String(config), flags);
  const defaults = new Map(
    flags.flatMap((flag) => (flag.default === undefined ? [] : [[flag.name, flag.default] as const])),
  );
  const given = new Map([...fromConfig, ...fromEnvironment, ...fromLine]);
  return { help, argv, positionals, values: new Map([...defaults, ...given]), given: new Set(given.keys()) };
}

function readCommandLine(argv: readonly string[], flags: readonly Flag[]) {
  const options = Object.fromEntries(
    flags.flatMap((flag) => {
      const type = flag.kind === 'boolean' ? ('boolean' as const) : ('string' as const);
      return [flag.name, ...(flag.aliases ?? [])].map((name) => [name, { type }] as const);
    }),
  );
  const { tokens } = parseArgs({
    args: argv.map(dashed),
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const values = new Map<string, FlagValue>();
  const positionals: string[] = [];
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') {
      help = true;
      continue;
    }
    const { name, rawName } = token;
    const flag = findFlag(flags, name);
    const negated = flags.find((candidate) => candidate.kind === 'boolean' && `no-${candidate.name}` === name);
    if (negated !== undefined) values.set(negated.name, false);
    else if (flag === undefined) throw unknownFlag(rawName, flags);
    else if (flag.kind === 'boolean' && token.value === undefined) values.set(flag.name, true);
    else if (token.value === undefined) throw new UsageError(`${rawName}: expected a value, got none`);
    else values.set(flag.name, add(values.get(flag.name), readValue(flag, token.value, rawName)));
  }
  return { help, positionals, values };
}

/** A list grows each time it is given; anything else is what was said last. */
function add(before: FlagValue | undefined, value: FlagValue): FlagValue {
  return Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
}

/** `--max_model_len=1` as `--max-model-len=1`: vLLM takes both spellings. */
function dashed(argument: string): string {
  const name = /^--[^=]+/.exec(argument)?.[0];
  return name === undefined ? argument : name.replaceAll('_', '-') + argument.slice(name.length);
}

function unknownFlag(rawName: string, flags: readonly Flag[]): UsageError {
  const closest = rawName.startsWith('--')
    ? closestName(rawName.slice(2), ['help', ...flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])])])
    : undefined;
  return new UsageError(
    `unknown flag ${rawName}${closest === undefined ? '; see --help' : `; did you mean --${closest}?`}`,
  );
}

/** Kubernetes sets `KVASIR_PORT=tcp://...` in every pod beside a service named kvasir. */
function describeVariable(name: string, text: string): string {
  return text.startsWith('tcp://') ? `${name}, set by Kubernetes unless the pod has enableServiceLinks: false` : name;
}

function readEnvironment(flags: readonly Flag[], environment: NodeJS.ProcessEnv): Map<string, FlagValue> {
  const values = new Map<string, FlagValue>();
  for (const flag of flags) {
    const name = environmentName(flag);
    const text = environment[name];
    if (text !== undefined && text !== '') values.set(flag.name, readValue(flag, text, describeVariable(name, text)));
  }
  return values;
}
