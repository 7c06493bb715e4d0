import { kvasirBin } from '../serve/kvasir-bin.js';
import { type ServerCommand, startServer } from '../serve/server-process.js';
import { runLoad } from './run-load.js';
import { readServerCounters, residentBytes, type ServerState, waitUntilIdle } from './server-state.js';
import type { Tally } from './tally.js';

/** Small on purpose: the pool holds a fraction of the load, and the queue is shorter than the crowd. */
const LIMITS = { maxModelLen: 1024, maxNumSeqs: 8, maxQueue: 8, kvCacheMiB: 26, heapMiB: 160 } as const;

/** How long and with what. */
export interface SoakOptions {
  readonly modelPath: string;
  readonly seconds: number;
  readonly seed: number;
  readonly threads: number;
  readonly serveFlags: readonly string[];
}

/** What a soak showed. */
export interface SoakReport {
  readonly tally: Tally;
  readonly preemptions: number;
  readonly stateAfter: ServerState;
  readonly exitCode: number | null;
  /** Resident bytes, sampled each second; empty where the system does not say. */
  readonly residentBytes: readonly number[];
}

/** Starts a server with a bounded heap, loads it, waits until it is idle, and ends it with a signal. */
export async function soakServer(options: SoakOptions): Promise<SoakReport> {
  const server = await startServer(soakCommand(options));
  const resident: number[] = [];
  const timer = setInterval(() => {
    const bytes = residentBytes(server.pid);
    if (bytes !== undefined) resident.push(bytes);
  }, 1000);
  try {
    const target = { port: server.port, model: server.model, maxModelLen: LIMITS.maxModelLen };
    const { seconds, seed } = options;
    const tally = await runLoad({ target, seconds, seed, users: 6, burstUsers: 28 });
    const stateAfter = await waitUntilIdle(server.port, 10_000);
    const { preemptions } = await readServerCounters(server.port);
    clearInterval(timer);
    const exitCode = await server.close();
    return { tally, preemptions, stateAfter, exitCode, residentBytes: resident };
  } finally {
    clearInterval(timer);
    await server.close();
  }
}

function soakCommand({ modelPath, threads, serveFlags }: SoakOptions): ServerCommand {
  const { maxModelLen, maxNumSeqs, maxQueue, kvCacheMiB, heapMiB } = LIMITS;
  const args = [`--max-old-space-size=${heapMiB}`, kvasirBin(), 'serve', modelPath, '--port', '{port}'];
  args.push('--threads', String(threads), '--served-model-name', 'soak', '--max-model-len', String(maxModelLen));
  args.push('--max-num-seqs', String(maxNumSeqs), '--max-queue', String(maxQueue));
  args.push('--kv-cache-memory-bytes', `${kvCacheMiB}M`, ...serveFlags);
  return { name: 'Kvasir', command: process.execPath, args, model: 'soak', healthPath: '/ready', timeoutMs: 60_000 };
}
