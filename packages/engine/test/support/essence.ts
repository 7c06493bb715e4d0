import type { TinyRequest } from '@kvasir/testing';
import type { Engine } from '../../src/index.js';
import { type Joined, join, request } from './harness.js';

/** What must not depend on company: everything but the cached tokens. */
export function essence({ text, tokenIds, logprobs, promptLogprobs, last }: Joined): unknown {
  const { finishReason, stopReason, usage } = last;
  return {
    text,
    tokenIds,
    logprobs,
    promptLogprobs,
    finishReason,
    stopReason,
    completionTokens: usage.completionTokens,
  };
}

/** All requests at once. */
export function runTogether(engine: Engine, tiny: readonly TinyRequest[]): Promise<Joined[]> {
  return Promise.all(tiny.map(({ prompt, ...sampling }) => join(engine.submit(request(prompt, sampling)))));
}

/** One request after the other. */
export async function runInTurn(engine: Engine, tiny: readonly TinyRequest[]): Promise<Joined[]> {
  const results: Joined[] = [];
  for (const each of tiny) results.push(...(await runTogether(engine, [each])));
  return results;
}
