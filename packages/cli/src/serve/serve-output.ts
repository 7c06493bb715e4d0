import type { LLM } from '@kvasir/engine';
import type { CommandContext } from '../command.js';
import type { Flag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { StatusLine } from '../terminal/status-line.js';
import { StepTrace } from '../terminal/step-trace.js';
import { traceStepsFlag } from '../terminal/trace-flag.js';
import { createServeReporter, type LogFormat, type ServeReporter } from './serve-reporter.js';

/** Flags that decide what a server writes. */
export const serveOutputFlags: readonly Flag[] = [
  {
    kind: 'choice',
    name: 'log-format',
    choices: ['auto', 'text', 'json'],
    default: 'auto',
    description: 'What is said at start and end: a panel, or a JSON line an event; auto: a panel on a terminal.',
  },
  {
    kind: 'boolean',
    name: 'status-line',
    default: true,
    description: 'Show what runs, and how fast, in one live line if stderr is a terminal; --no-status-line: not.',
  },
  traceStepsFlag,
];

/** What a server writes beside its answers. */
export interface ServeOutput {
  readonly reporter: ServeReporter;
  /** The context for everything else: what it writes to stderr does not collide with the status line. */
  readonly context: CommandContext;
  close(): void;
}

/** Opens reports, status line and step trace as the flags ask. A trace takes the place of the status line; an encoder alone has neither. */
export function openServeOutput(
  llm: Pick<LLM, 'engine'> | undefined,
  flags: ParsedFlags,
  context: CommandContext,
): ServeOutput {
  const format = flags.values.get('log-format') as LogFormat;
  if (llm === undefined) return { reporter: createServeReporter(format, context), context, close: () => {} };
  if (flags.values.get('trace-steps') === true) {
    const trace = new StepTrace(llm.engine, (line) => context.stderr.write(line));
    return { reporter: createServeReporter(format, context), context, close: () => trace.close() };
  }
  const canRedraw = context.stderr.isTTY === true && context.environment['TERM'] !== 'dumb';
  if (!canRedraw || flags.values.get('status-line') !== true) {
    return { reporter: createServeReporter(format, context), context, close: () => {} };
  }
  const line = new StatusLine(llm.engine, context.stderr);
  const beside = { ...context, stderr: line.stream };
  return { reporter: createServeReporter(format, beside), context: beside, close: () => line.close() };
}
