import { HttpStatusError, streamChat } from '../http/stream-chat.js';
import { distinctMessage } from '../workload.js';
import type { Outcome } from './tally.js';

/** What an action needs to know of the server under load. */
export interface Target {
  readonly port: number;
  readonly model: string;
  readonly maxModelLen: number;
}

/** What became of one request. */
interface Ended {
  readonly outcome: Outcome;
  readonly tokens: number;
  readonly why?: string;
}

/** One kind of request that users send. */
export interface Action {
  readonly kind: string;
  /** How often, relative to the others. */
  readonly weight: number;
  /** @param random - In `[0, 1)`. @param index - Counts up, so that prompts differ. */
  run(target: Target, random: () => number, index: number): Promise<Ended>;
}

const TENANTS = ['amber', 'birch', 'cedar'] as const;

/** A mix that touches every way through the server: short, long, shared, sampled, several choices, wrong, and left. */
export function createActions(): readonly Action[] {
  let probeText: string | undefined;
  return [
    {
      kind: 'short',
      weight: 6,
      run: (target, random, index) =>
        complete(target, { messages: user(distinctMessage(index, 8)), max_tokens: between(random, 1, 48) }),
    },
    {
      kind: 'sampled',
      weight: 3,
      run: (target, random, index) =>
        complete(target, {
          messages: user(distinctMessage(index, 12)),
          max_tokens: between(random, 1, 48),
          temperature: 0.9,
          top_p: 0.9,
          top_k: 40,
          seed: index,
        }),
    },
    {
      kind: 'tenant prefix',
      weight: 4,
      run: (target, random, index) => {
        const tenant = between(random, 0, TENANTS.length - 1);
        const messages = [
          { role: 'system', content: distinctMessage(900_000 + tenant, 200) },
          ...user(`Question ${index}?`),
        ];
        return complete(target, { messages, max_tokens: between(random, 1, 32), cache_salt: TENANTS[tenant] });
      },
    },
    {
      kind: 'long prompt',
      weight: 1,
      run: (target, random, index) =>
        complete(target, {
          messages: user(distinctMessage(index, between(random, 300, 700))),
          max_tokens: between(random, 1, 16),
        }),
    },
    {
      kind: 'stop string',
      weight: 1,
      run: (target, _random, index) =>
        complete(target, { messages: user(distinctMessage(index, 8)), max_tokens: 64, stop: ['.', '\n'] }, 'any'),
    },
    {
      // The same request again and again: whatever else runs, its tokens do not change.
      kind: 'probe',
      weight: 2,
      run: (target) => {
        const body = { messages: user('Count from one to ten.'), max_tokens: 24, temperature: 0.8, seed: 7 };
        return complete(target, body, 24, (text) => {
          probeText ??= text;
          return text === probeText ? undefined : `the probe said '${text}', before '${probeText}'`;
        });
      },
    },
    {
      kind: 'leaver',
      weight: 2,
      run: (target, random, index) => {
        const leave = new AbortController();
        let tokens = 0;
        const stayFor = between(random, 0, 12);
        if (stayFor === 0) setTimeout(() => leave.abort(), between(random, 0, 50));
        const body = {
          model: target.model,
          messages: user(distinctMessage(index, 8)),
          max_tokens: 400,
          ignore_eos: true,
        };
        const onText = () => {
          if (++tokens >= stayFor && stayFor > 0) leave.abort();
        };
        return settle(async () => {
          await streamChat({ port: target.port, body, signal: leave.signal, onText });
          return { outcome: 'complete', tokens };
        }, leave.signal);
      },
    },
    {
      kind: 'oversized prompt',
      weight: 1,
      run: (target, _random, index) =>
        expectRefusal(target, { messages: user(distinctMessage(index, 2 * target.maxModelLen)), max_tokens: 4 }),
    },
    {
      kind: 'wrong field',
      weight: 1,
      run: (target, _random, index) =>
        expectRefusal(target, { messages: user(distinctMessage(index, 4)), temperature: -1 }),
    },
  ];
}

function user(content: string) {
  return [{ role: 'user', content }];
}

/** @param expected - Output tokens: the request's `max_tokens` unless it may stop before, `any` from 0. */
function complete(
  target: Target,
  body: Readonly<Record<string, unknown>> & { readonly max_tokens: number },
  expected: number | 'any' = body.max_tokens,
  check: (text: string) => string | undefined = () => undefined,
): Promise<Ended> {
  return settle(async () => {
    const ignoresEos = expected !== 'any';
    const whole = { temperature: 0, model: target.model, ...(ignoresEos ? { ignore_eos: true } : {}), ...body };
    const answer = await streamChat({ port: target.port, body: whole });
    const { isComplete, finishReason, completionTokens, text } = answer;
    if (!isComplete) return lost('the stream ended without its end mark');
    if (finishReason !== 'length' && finishReason !== 'stop') return lost(`finish_reason was ${finishReason}`);
    if (expected !== 'any' && completionTokens !== expected) return lost(`${completionTokens} tokens of ${expected}`);
    const wrong = check(text);
    return wrong === undefined ? { outcome: 'complete', tokens: completionTokens } : lost(wrong);
  });
}

function expectRefusal(target: Target, body: Readonly<Record<string, unknown>>): Promise<Ended> {
  return settle(async () => {
    try {
      await streamChat({ port: target.port, body: { model: target.model, ...body } });
    } catch (error) {
      if (error instanceof HttpStatusError && error.status === 400 && error.body.includes('"message"')) {
        return { outcome: 'refused', tokens: 0 };
      }
      throw error;
    }
    return lost('it was answered although it is wrong');
  });
}

/** A full server is an answer; everything else that goes wrong is a loss, unless we left. */
async function settle(run: () => Promise<Ended>, leave?: AbortSignal): Promise<Ended> {
  try {
    return await run();
  } catch (error) {
    if (leave?.aborted === true) return { outcome: 'left', tokens: 0 };
    const isBusy = error instanceof HttpStatusError && (error.status === 429 || error.status === 503);
    if (isBusy && Number(error.retryAfter) >= 0) {
      return { outcome: 'busy', tokens: 0 };
    }
    return lost(error instanceof Error ? error.message : String(error));
  }
}

function lost(why: string): Ended {
  return { outcome: 'lost', tokens: 0, why };
}

function between(random: () => number, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}
