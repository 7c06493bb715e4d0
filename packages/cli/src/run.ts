import { KvasirError } from '@kvasir/interfaces';
import type { Command, CommandContext } from './command.js';
import { InterruptedError } from './commands/shutdown.js';
import { closestName } from './flags/closest-name.js';
import { renderHelp } from './flags/help.js';
import { nameFlags } from './flags/name-flags.js';
import { parseFlags } from './flags/parse-flags.js';
import { UsageError } from './flags/usage-error.js';
import { version } from './version.js';

/** Each command is loaded only when it is asked for, so that a start pays for one. */
const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  serve: {
    summary: 'serve a model over HTTP (OpenAI-compatible)',
    load: async () => (await import('./commands/serve.js')).serve,
  },
  generate: {
    summary: 'continue one prompt in the terminal',
    load: async () => (await import('./commands/generate.js')).generate,
  },
  chat: {
    summary: 'talk with a model in the terminal',
    load: async () => (await import('./commands/chat.js')).chat,
  },
  pull: { summary: 'fetch a model into the cache', load: async () => (await import('./commands/pull.js')).pull },
  models: {
    summary: 'list the catalogue and the cache',
    load: async () => (await import('./commands/models.js')).models,
  },
  inspect: {
    summary: 'show what is in a checkpoint',
    load: async () => (await import('./commands/inspect.js')).inspect,
  },
  simulate: {
    summary: 'predict throughput and latency of a load, without a model',
    load: async () => (await import('./commands/simulate.js')).simulateCommand,
  },
  doctor: {
    summary: 'show what this machine offers and what is missing',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
};

const USAGE_EXIT = 2;

/**
 * Runs `kvasir` with the given arguments.
 * @returns The exit code: 0, 1 for a failure, 2 for a wrong command line.
 */
export async function run(argv: readonly string[], context: CommandContext = processContext()): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? context.stderr : context.stdout).write(`${overview()}\n`);
    return name === undefined ? USAGE_EXIT : 0;
  }
  if (name === '--version' || name === '-v') {
    context.stdout.write(`${version()}\n`);
    return 0;
  }
  let command: Command | undefined;
  try {
    command = await loadCommand(name);
    return await runCommand(command, rest, context);
  } catch (error) {
    if (!isExpected(error)) throw error;
    context.stderr.write(`kvasir ${name}: ${nameFlags(error.message, command?.help.flags ?? [])}\n`);
    if (error instanceof InterruptedError) return error.exitCode;
    return KvasirError.isInstance(error, 'ERR_USAGE') ? USAGE_EXIT : 1;
  }
}

/** Errors that say all there is to say; anything else is a defect and keeps its stack. */
function isExpected(error: unknown): error is Error {
  return KvasirError.isInstance(error) || (error instanceof Error && 'syscall' in error && 'code' in error);
}

function loadCommand(name: string): Promise<Command> {
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const closest = closestName(name, Object.keys(COMMANDS));
    throw new UsageError(
      `unknown command${closest === undefined ? '; see kvasir --help' : `; did you mean '${closest}'?`}`,
    );
  }
  return entry.load();
}

async function runCommand(command: Command, argv: readonly string[], context: CommandContext): Promise<number> {
  const flags = await parseFlags(argv, command.help.flags, context.environment, command.maxPositionals);
  if (flags.help) {
    context.stdout.write(`${renderHelp(command.help)}\n`);
    return 0;
  }
  return command.run(flags, context);
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 2;
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`);
  return [
    'usage: kvasir COMMAND [options]',
    '',
    ...lines,
    '',
    "'kvasir COMMAND --help' explains a command.",
    '--version prints the version.',
  ].join('\n');
}

function processContext(): CommandContext {
  return { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin, environment: process.env };
}
