import { Agent } from 'node:http';
import { streamChat } from '../http/stream-chat.js';
import { quantile } from '../statistics.js';
import { distinctMessage } from '../workload.js';

/** A closed loop: `clients` callers, each sending its next request when the last has ended. */
export interface ClosedLoop {
  readonly port: number;
  readonly model: string;
  readonly clients: number;
  readonly requestsPerClient: number;
  readonly promptWords: number;
  readonly maxTokens: number;
  /** Distinct over rounds, so that no prefix cache answers. */
  readonly firstIndex: number;
}

/** What the clients saw. Times in milliseconds. */
export interface LoadResult {
  readonly tokensPerSecond: number;
  readonly ttftP50: number;
  readonly ttftP95: number;
  readonly gapP50: number;
  readonly gapP99: number;
  readonly requests: number;
  readonly failed: number;
  /** What each kind of failure said, and how often. */
  readonly failures: Readonly<Record<string, number>>;
}

interface StreamTimes {
  readonly ttft: number;
  readonly gaps: readonly number[];
  readonly completionTokens: number;
}

/** Runs a closed loop against `/v1/chat/completions` with `stream`, greedy, `ignore_eos`. Tokens come from `usage`. */
export async function runClosedLoop(loop: ClosedLoop): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: false, maxSockets: loop.clients });
  const done: StreamTimes[] = [];
  const failures = new Map<string, number>();
  let next = loop.firstIndex;
  const started = performance.now();
  const client = async () => {
    for (let i = 0; i < loop.requestsPerClient; i++) {
      const index = next++;
      try {
        done.push(await streamOnce(agent, loop, index));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures.set(reason, (failures.get(reason) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: loop.clients }, client));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
  if (done.length === 0) {
    throw new Error(`all ${failed} requests failed against port ${loop.port}: ${[...failures.keys()].join('; ')}`);
  }
  const ttfts = done.map((times) => times.ttft);
  const gaps = done.flatMap((times) => times.gaps);
  return {
    tokensPerSecond: done.reduce((sum, times) => sum + times.completionTokens, 0) / seconds,
    ttftP50: quantile(ttfts, 0.5),
    ttftP95: quantile(ttfts, 0.95),
    gapP50: quantile(gaps, 0.5),
    gapP99: quantile(gaps, 0.99),
    requests: done.length,
    failed,
    failures: Object.fromEntries(failures),
  };
}

async function streamOnce(agent: Agent, loop: ClosedLoop, index: number): Promise<StreamTimes> {
  const { sentAt, arrivals, completionTokens } = await streamChat({
    agent,
    port: loop.port,
    body: {
      model: loop.model,
      messages: [{ role: 'user', content: distinctMessage(index, loop.promptWords) }],
      max_tokens: loop.maxTokens,
      temperature: 0,
      ignore_eos: true,
    },
  });
  const [first] = arrivals;
  if (first === undefined || completionTokens === 0) throw new Error('the stream carried no text or no usage');
  return {
    ttft: first - sentAt,
    gaps: arrivals.slice(1).map((time, i) => time - (arrivals[i] as number)),
    completionTokens,
  };
}
