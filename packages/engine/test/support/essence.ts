import { choiceSeed } from '@kvasir/interfaces';
import type { TinyRequest } from '@kvasir/testing';
import type { Engine } from '../../src/index.js';
import { type Joined, join, joinChoices, request } from './harness.js';

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

/** A request for several choices, of some priority. */
export interface ManyChoices {
  readonly tiny: TinyRequest;
  readonly n: number;
  readonly priority: number;
}

/** All requests at once, each a list of choices. */
export function runChoicesTogether(engine: Engine, many: readonly ManyChoices[]): Promise<Joined[][]> {
  return Promise.all(
    many.map(({ tiny: { prompt, ...sampling }, n, priority }) =>
      joinChoices(engine.submit(request(prompt, sampling, undefined, { n, priority })), n),
    ),
  );
}

/** What each choice is by itself: a request with the choice's seed, one after the other. Prompts are scored with the first only. */
export async function runChoicesAlone(engine: Engine, many: readonly ManyChoices[]): Promise<Joined[][]> {
  const results: Joined[][] = [];
  for (const { tiny, n } of many) {
    const own = Array.from({ length: n }, (_, i) => ({
      ...tiny,
      seed: choiceSeed(tiny.seed, i),
      promptLogprobs: i === 0 ? tiny.promptLogprobs : undefined,
    }));
    results.push(await runInTurn(engine, own));
  }
  return results;
}

/** What must not depend on company, of a choice: its usage counts its siblings too. */
export function choiceEssence({ text, tokenIds, logprobs, promptLogprobs, last }: Joined): unknown {
  return { text, tokenIds, logprobs, promptLogprobs, finishReason: last.finishReason, stopReason: last.stopReason };
}

/** All requests at once. */
export function runTogether(engine: Engine, tiny: readonly TinyRequest[]): Promise<Joined[]> {
  return Promise.all(tiny.map(({ prompt, ...sampling }) => join(engine.submit(request(prompt, sampling)))));
}

/** One request after the other. */
async function runInTurn(engine: Engine, tiny: readonly TinyRequest[]): Promise<Joined[]> {
  const results: Joined[] = [];
  for (const each of tiny) results.push(...(await runTogether(engine, [each])));
  return results;
}
