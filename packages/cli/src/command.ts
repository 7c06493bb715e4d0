import type { CommandHelp } from './flags/help.js';
import type { ParsedFlags } from './flags/parse-flags.js';
import type { BarStream } from './terminal/progress-bar.js';

/** The world a command runs in; tests pass their own. */
export interface CommandContext {
  readonly stdout: BarStream;
  readonly stderr: BarStream;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly environment: NodeJS.ProcessEnv;
}

/** One subcommand. */
export interface Command {
  readonly help: CommandHelp;
  readonly maxPositionals: number;
  /** Runs it; the number is the exit code. Errors with a `code` are printed as one line by the caller. */
  run(flags: ParsedFlags, context: CommandContext): Promise<number>;
}
