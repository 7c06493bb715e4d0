import { readFileSync } from 'node:fs';

/** Gauges of the server that must be 0 when nobody asks for anything. */
export interface ServerState {
  readonly running: number;
  readonly waiting: number;
  /** Share of the KV blocks that are held. */
  readonly kvCacheUsage: number;
}

/** Counters since the server began. */
export interface ServerCounters {
  readonly preemptions: number;
}

/** Reads {@link ServerState} from `/metrics`. */
async function readServerState(port: number): Promise<ServerState> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await response.text();
  return {
    running: gauge(text, 'vllm:num_requests_running'),
    waiting: gauge(text, 'vllm:num_requests_waiting'),
    kvCacheUsage: gauge(text, 'vllm:kv_cache_usage_perc'),
  };
}

/** Reads {@link ServerCounters} from `/metrics`. */
export async function readServerCounters(port: number): Promise<ServerCounters> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  return { preemptions: gauge(await response.text(), 'vllm:num_preemptions_total') };
}

/** Waits until the server has nothing to do; gives the last state when it never comes to that. */
export async function waitUntilIdle(port: number, timeoutMs: number): Promise<ServerState> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const state = await readServerState(port);
    if (state.running + state.waiting + state.kvCacheUsage === 0 || performance.now() > deadline) return state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resident bytes of a process; `undefined` where the system does not say. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
  } catch {
    return undefined;
  }
}

function gauge(text: string, name: string): number {
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map((match) =>
    Number(match[1]),
  );
  if (values.length === 0) throw new Error(`/metrics has no ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}
