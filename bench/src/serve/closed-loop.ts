import { Agent, request } from 'node:http';
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
  let failed = 0;
  let next = loop.firstIndex;
  const started = performance.now();
  const client = async () => {
    for (let i = 0; i < loop.requestsPerClient; i++) {
      const index = next++;
      try {
        done.push(await streamOnce(agent, loop, index));
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: loop.clients }, client));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  if (done.length === 0) throw new Error(`all ${failed} requests failed against port ${loop.port}`);
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
  };
}

function streamOnce(agent: Agent, loop: ClosedLoop, index: number): Promise<StreamTimes> {
  const body = JSON.stringify({
    model: loop.model,
    messages: [{ role: 'user', content: distinctMessage(index, loop.promptWords) }],
    max_tokens: loop.maxTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    ignore_eos: true,
  });
  return new Promise((resolve, reject) => {
    const sent = performance.now();
    const call = request(
      {
        agent,
        host: '127.0.0.1',
        port: loop.port,
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        if (response.statusCode !== 200) {
          response.resume();
          reject(new Error(`status ${response.statusCode}`));
          return;
        }
        const arrivals: number[] = [];
        let completionTokens = 0;
        let pending = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          const now = performance.now();
          const lines = (pending + chunk).split('\n');
          pending = lines.pop() ?? '';
          for (const line of lines) {
            if (!line.startsWith('data: {')) continue;
            const event = JSON.parse(line.slice(6)) as {
              choices: { delta?: { content?: string } }[];
              usage?: { completion_tokens: number } | null;
            };
            if (event.choices[0]?.delta?.content) arrivals.push(now);
            if (event.usage) completionTokens = event.usage.completion_tokens;
          }
        });
        response.on('end', () => {
          const first = arrivals[0];
          if (first === undefined || completionTokens === 0) {
            reject(new Error('stream carried no tokens or no usage'));
            return;
          }
          const gaps = arrivals.slice(1).map((time, i) => time - (arrivals[i] as number));
          resolve({ ttft: first - sent, gaps, completionTokens });
        });
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
