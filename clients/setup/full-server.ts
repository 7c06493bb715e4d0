import { type RunningKvasir, startKvasir } from './kvasir.js';

/** A server that refuses requests until it is told to take them. */
export interface FullServer extends RunningKvasir {
  /** Ends what fills it. */
  makeRoom(): Promise<void>;
}

/** A server whose one place is taken and whose queue is full: the next request is a 429. */
export async function startFullServer(): Promise<FullServer> {
  const server = await startKvasir(['--max-num-seqs', '1', '--max-queue', '1']);
  const ends = new AbortController();
  const long = { model: server.model, prompt: 'On and on', max_tokens: 300, ignore_eos: true, stream: true };
  const post = () =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(long),
      signal: ends.signal,
    });
  const running = await post();
  // It streams, so it runs; the second waits and answers nothing.
  const waiting = post().catch(() => undefined);
  await untilWaiting(server.url);
  return {
    ...server,
    async makeRoom() {
      ends.abort();
      await running.body?.cancel().catch(() => undefined);
      await waiting;
    },
  };
}

async function untilWaiting(url: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/^vllm:num_requests_waiting\{[^}]*\} 1$/m.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
