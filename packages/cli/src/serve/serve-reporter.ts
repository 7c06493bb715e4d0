import type { CommandContext } from '../command.js';
import { createStyle } from '../terminal/style.js';
import type { ServeFacts } from './serve-facts.js';
import { renderServePanel } from './serve-panel.js';

/** How a server reports: `auto` is `text` on a terminal and `json` elsewhere. */
export type LogFormat = 'auto' | 'text' | 'json';

/** Says what becomes of a server. */
export interface ServeReporter {
  ready(facts: ServeFacts): void;
  /** A signal came while requests run. */
  draining(signal: string, numRequests: number, timeoutSeconds: number): void;
  /** It takes no more requests and none runs. */
  stopped(signal: string): void;
}

/** For people: a panel on stdout, further words on stderr. For programs: one JSON line an event on stdout. */
export function createServeReporter(format: LogFormat, context: CommandContext): ServeReporter {
  const isText = format === 'text' || (format === 'auto' && context.stdout.isTTY === true);
  return isText ? createTextReporter(context) : createJsonReporter(context);
}

function createTextReporter({ stdout, stderr, environment }: CommandContext): ServeReporter {
  return {
    ready: (facts) => {
      stdout.write(renderServePanel(facts, createStyle(stdout, environment)));
    },
    draining: (signal, numRequests, seconds) => {
      const requests = numRequests === 1 ? '1 request' : `${numRequests} requests`;
      stderr.write(`${signal}: letting ${requests} end, at most ${seconds} s; once more ends them now\n`);
    },
    stopped: () => {},
  };
}

function createJsonReporter({ stdout }: CommandContext): ServeReporter {
  const write = (event: string, fields: object) => {
    stdout.write(`${JSON.stringify({ event, time: new Date().toISOString(), ...fields })}\n`);
  };
  return {
    ready: (facts) => write('ready', snakeCased(facts)),
    draining: (signal, requests, seconds) => write('draining', { signal, requests, timeout_s: seconds }),
    stopped: (signal) => write('stopped', { signal }),
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
