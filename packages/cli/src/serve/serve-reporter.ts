import type { CommandContext } from '../command.js';
import { createStyle } from '../terminal/style.js';
import type { ServeFacts } from './serve-facts.js';
import { renderServePanel } from './serve-panel.js';
import { type Crash, exitCodeOf, type ProcessEnd } from './supervisor.js';

/** How a server reports: `auto` is `text` on a terminal and `json` elsewhere. */
export type LogFormat = 'auto' | 'text' | 'json';

/** Says what becomes of a server. */
export interface ServeReporter {
  /** Something that works and should not stay so. */
  warning(message: string): void;
  ready(facts: ServeFacts): void;
  /** A signal came while requests run. */
  draining(signal: string, numRequests: number, timeoutSeconds: number): void;
  /** It takes no more requests and none runs. */
  stopped(end: ServeEnd): void;
  /** Keys and certificate were read again. */
  reloaded(fields: { readonly numApiKeys: number; readonly hasTls: boolean }): void;
  /** They could not be used: the old ones stay. */
  reloadFailed(reason: string): void;
  /** A supervised server crashed and is started again. */
  crashed(crash: Crash): void;
  /** It crashed too often. */
  givenUp(end: ProcessEnd & { readonly numRestarts: number; readonly windowMs: number }): void;
}

/** How a server that was asked to end has ended. */
interface ServeEnd {
  readonly signal: string;
  /** Every request ended; some did not within the time; a second signal cut them off. */
  readonly outcome: 'drained' | 'timeout' | 'forced';
  /** Requests that were cut off. */
  readonly numAborted: number;
}

/** For people: a panel on stdout, further words on stderr. For programs: one JSON line an event on stdout. */
export function createServeReporter(format: LogFormat, context: CommandContext): ServeReporter {
  const isText = format === 'text' || (format === 'auto' && context.stdout.isTTY === true);
  return isText ? createTextReporter(context) : createJsonReporter(context);
}

function createTextReporter({ stdout, stderr, environment }: CommandContext): ServeReporter {
  return {
    warning: (message) => void stderr.write(`warning: ${message}\n`),
    ready: (facts) => {
      stdout.write(renderServePanel(facts, createStyle(stdout, environment)));
    },
    draining: (signal, numRequests, seconds) => {
      stderr.write(`${signal}: letting ${requests(numRequests)} end, at most ${seconds} s; once more ends them now\n`);
    },
    stopped: ({ outcome, numAborted }) => {
      if (outcome === 'drained') return;
      const why = outcome === 'forced' ? 'by the second signal' : 'as the time was over';
      stderr.write(`${requests(numAborted)} cut off ${why}\n`);
    },
    reloaded: ({ numApiKeys, hasTls }) => {
      const keys = `${numApiKeys} API ${numApiKeys === 1 ? 'key' : 'keys'}`;
      stderr.write(`SIGHUP: read again: ${keys}${hasTls ? ', certificate' : ''}\n`);
    },
    reloadFailed: (reason) => void stderr.write(`SIGHUP: nothing has changed: ${reason}\n`),
    crashed: ({ restart, maxRestarts, delayMs, ...end }) => {
      const next = `starting it again in ${delayMs / 1000} s (restart ${restart} of ${maxRestarts})`;
      stderr.write(`${stderr.isTTY === true ? CLEAR_LINE : ''}the server crashed (${describeEnd(end)}): ${next}\n`);
    },
    givenUp: ({ numRestarts, windowMs, ...end }) => {
      const restarts = `${numRestarts} ${numRestarts === 1 ? 'restart' : 'restarts'} within ${windowMs / 1000} s`;
      stderr.write(`the server crashed (${describeEnd(end)}) after ${restarts}: giving up; its last words say why\n`);
    },
  };
}

/** A status line may have been left behind. */
const CLEAR_LINE = '\r\u001b[2K';

function requests(count: number): string {
  return count === 1 ? '1 request' : `${count} requests`;
}

function describeEnd({ code, signal }: ProcessEnd): string {
  return signal ?? `exit code ${code}`;
}

function createJsonReporter({ stdout }: CommandContext): ServeReporter {
  const write = (event: string, fields: object) => {
    stdout.write(`${JSON.stringify({ event, time: new Date().toISOString(), ...fields })}\n`);
  };
  return {
    warning: (message) => write('warning', { message }),
    ready: (facts) => write('ready', snakeCased(facts)),
    draining: (signal, requests, seconds) => write('draining', { signal, requests, timeout_s: seconds }),
    stopped: ({ signal, outcome, numAborted }) => write('stopped', { signal, outcome, aborted: numAborted }),
    reloaded: ({ numApiKeys, hasTls }) => write('reloaded', { api_keys: numApiKeys, tls: hasTls }),
    reloadFailed: (reason) => write('reload_failed', { reason }),
    crashed: ({ pid, code, signal, restart, maxRestarts, delayMs }) =>
      write('crashed', {
        crashed_pid: pid,
        exit_code: code,
        signal,
        restart,
        max_restarts: maxRestarts,
        restart_in_s: delayMs / 1000,
      }),
    givenUp: ({ numRestarts, windowMs, ...end }) =>
      write('given_up', { exit_code: exitCodeOf(end), restarts: numRestarts, window_s: windowMs / 1000 }),
  };
}

/** Keys of JSON are written as in the API. */
function snakeCased(facts: object): object {
  const entries = Object.entries(facts).map(([name, value]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return Object.fromEntries(entries);
}
