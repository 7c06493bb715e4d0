import { readFile } from 'node:fs/promises';
import {
  type Arrivals,
  agentTrace,
  burstyArrivals,
  chatTrace,
  poissonArrivals,
  readMooncakeTrace,
  type Trace,
  withinLength,
} from '@kvasir/scheduler/simulate';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';

/** The trace that the flags describe, without requests that are longer than `--max-model-len`. @throws {@link UsageError} */
export async function readTrace(flags: ParsedFlags): Promise<{ readonly trace: Trace; readonly numRefused: number }> {
  const all = await readWholeTrace(flags);
  const maxModelLen = flags.values.get('max-model-len') as number;
  const fitting = withinLength(all, maxModelLen);
  if (fitting.trace.length === 0) {
    throw new UsageError(
      `--max-model-len: all ${all.length} requests of the trace are longer than ${maxModelLen}: raise it`,
    );
  }
  return fitting;
}

function readWholeTrace(flags: ParsedFlags): Trace | Promise<Trace> {
  const name = String(flags.values.get('trace'));
  const count = flags.values.get('requests') as number;
  const seed = flags.values.get('seed') as number;
  const arrivals = readArrivals(flags);
  if (name === 'chat') return chatTrace({ numRequests: count, arrivals, seed });
  if (name === 'agents') return agentTrace({ numSessions: count, arrivals, seed });
  if (!name.endsWith('.jsonl')) throw new UsageError(`--trace: expected chat, agents or a .jsonl file, got '${name}'`);
  return readTraceFile(name, flags);
}

async function readTraceFile(path: string, flags: ParsedFlags): Promise<Trace> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new UsageError(`--trace: cannot read ${path}: ${error.message}`);
  });
  const lengthDivisor = flags.values.get('length-divisor') as number;
  const timeFactor = flags.values.get('time-factor') as number;
  // A file is read whole unless a number was asked for.
  const numRequests = flags.given.has('requests') ? { numRequests: flags.values.get('requests') as number } : {};
  try {
    return readMooncakeTrace(text, { lengthDivisor, timeFactor, ...numRequests });
  } catch (error) {
    throw new UsageError(`--trace: ${path}: ${(error as Error).message}`);
  }
}

function readArrivals(flags: ParsedFlags): Arrivals {
  const rate = flags.values.get('rate') as number;
  switch (flags.values.get('arrivals')) {
    case 'bursty':
      return burstyArrivals(rate);
    case 'at-once':
      return () => 0;
    default:
      return poissonArrivals(rate);
  }
}
