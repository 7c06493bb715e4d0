import { GOLDEN_MARGIN, GOLDEN_TOLERANCE, LLAMA_CPP_DIVERGENCE, readGoldens } from '@kvasir/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIVERGENCE_LOGPROBS, measureDivergence } from './support/divergence.js';
import { loadRealModel, type Served, serveModel } from './support/real-model.js';

/** Share of llama.cpp's own divergence that we allow ourselves. */
const KL_ALLOWANCE = 1.25;
/** The same with keys and values in int8, which llama.cpp's figure does not have. */
const INT8_KV_KL_ALLOWANCE = 1.5;

type PromptLogprobs = (null | Record<string, { logprob: number; rank: number }>)[];
interface CompletionBody {
  choices: { token_ids: number[]; prompt_logprobs: PromptLogprobs; logprobs: { token_logprobs: number[] } | null }[];
}

describe.each(['smollm2', 'gemma3'] as const)('%s', (model) => {
  const goldens = readGoldens(model);

  describe('float32, over HTTP', () => {
    let served: Served;
    beforeAll(async () => {
      served = await serveModel(await loadRealModel(model, { dtype: 'float32', maxModelLen: 512, maxLogprobs: 64 }));
    }, 120_000);
    afterAll(() => served.close());

    test('greedy ids are the oracle’s wherever its margin is clear', { timeout: 120_000 }, async () => {
      const worst = { logprob: 0 };
      let compared = 0;
      for (const golden of goldens.prompts) {
        const { status, body } = await served.post('/v1/completions', {
          model: 'test',
          prompt: golden.ids,
          max_tokens: golden.steps.length,
          temperature: 0,
          ignore_eos: true,
          logprobs: 1,
          return_token_ids: true,
        });
        expect(status).toBe(200);
        const [choice] = (body as CompletionBody).choices;
        for (const [step, expected] of golden.steps.entries()) {
          const id = choice?.token_ids[step];
          if (id !== expected.id) {
            expect(expected.margin, `${golden.text}, step ${step}: ${id} for ${expected.id}`).toBeLessThan(
              GOLDEN_MARGIN,
            );
            break;
          }
          const error = Math.abs((choice?.logprobs?.token_logprobs[step] as number) - (expected.top[0]?.[1] as number));
          worst.logprob = Math.max(worst.logprob, error);
          compared++;
        }
      }
      process.stdout.write(
        `${model} float32 greedy: ${compared} tokens, largest log-probability error ${worst.logprob.toExponential(2)}\n`,
      );
      expect(worst.logprob).toBeLessThan(GOLDEN_TOLERANCE);
      expect(compared).toBeGreaterThan(200);
    });

    test('log-probabilities of given tokens and of the 64 best are the oracle’s', { timeout: 120_000 }, async () => {
      let worst = 0;
      for (const golden of goldens.score) {
        const { body } = await served.post('/v1/completions', {
          model: 'test',
          prompt: golden.ids,
          max_tokens: 1,
          temperature: 0,
          prompt_logprobs: 64,
        });
        const positions = (body as CompletionBody).choices[0]?.prompt_logprobs as PromptLogprobs;
        expect(positions).toHaveLength(golden.ids.length);
        expect(positions[0]).toBeNull();
        for (let i = 1; i < golden.ids.length; i++) {
          const own = positions[i]?.[String(golden.ids[i])]?.logprob as number;
          worst = Math.max(worst, Math.abs(own - (golden.logprobs[i - 1] as number)));
          for (const [id, logprob] of golden.top64[i - 1] ?? []) {
            const top = positions[i]?.[String(id)]?.logprob;
            // The 64th place may be taken by a neighbour of equal probability.
            if (top !== undefined) worst = Math.max(worst, Math.abs(top - logprob));
          }
        }
      }
      process.stdout.write(`${model} float32 scoring: largest log-probability error ${worst.toExponential(2)}\n`);
      expect(worst).toBeLessThan(GOLDEN_TOLERANCE);
    });
  });

  test.each([
    ['auto', KL_ALLOWANCE],
    ['int8', INT8_KV_KL_ALLOWANCE],
  ] as const)(
    'auto, KV %s: mean KL to float32 stays at llama.cpp’s level',
    { timeout: 120_000 },
    async (kvCacheDtype, allowance) => {
      const llm = await loadRealModel(model, { kvCacheDtype, maxModelLen: 512, maxLogprobs: DIVERGENCE_LOGPROBS });
      const { mean, numPositions, sameTop } = await measureDivergence(llm, goldens).finally(() => llm.close());
      process.stdout.write(
        `${model} auto, KV ${kvCacheDtype}: mean KL ${mean.toFixed(5)} over ${numPositions} positions (llama.cpp ${LLAMA_CPP_DIVERGENCE[model]}), same top token ${(100 * sameTop).toFixed(1)} %\n`,
      );
      expect(numPositions).toBeGreaterThan(350);
      expect(mean).toBeLessThanOrEqual(allowance * LLAMA_CPP_DIVERGENCE[model]);
    },
  );

  test('float32 over int8 KV: what the codes alone cost', { timeout: 120_000 }, async () => {
    const options = {
      dtype: 'float32',
      kvCacheDtype: 'int8',
      maxModelLen: 512,
      maxLogprobs: DIVERGENCE_LOGPROBS,
    } as const;
    const llm = await loadRealModel(model, options);
    const { mean } = await measureDivergence(llm, goldens).finally(() => llm.close());
    process.stdout.write(`${model} float32, KV int8: mean KL ${mean.toFixed(5)}\n`);
    expect(mean).toBeLessThanOrEqual(LLAMA_CPP_DIVERGENCE[model]);
  });
});
