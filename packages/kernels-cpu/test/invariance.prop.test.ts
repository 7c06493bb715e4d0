import { createCpuBackend } from '@kvasir/kernels-cpu';
import { fcParameters, tinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runTogether } from './support/driver.js';
import { plannedSequence, undisturbed } from './support/sequences.js';
import { openTiny } from './support/tiny-session.js';

const MAX_LENGTH = 80;
const MODES = ['auto', 'float32'] as const;
const KV_DTYPES = ['auto', 'auto', 'float32', 'bfloat16', 'int8'] as const;
const numRuns = 15;

/** A model, a sequence on it, and others to share steps with. */
const company = (maxOthers: number) =>
  tinyModelSpec().chain((spec) =>
    fc.record({
      spec: fc.constant(spec),
      mode: fc.constantFrom(...MODES),
      kvCacheDtype: fc.constantFrom(...KV_DTYPES),
      sequence: plannedSequence(spec.vocabSize, MAX_LENGTH),
      others: fc.array(plannedSequence(spec.vocabSize, MAX_LENGTH), { minLength: 1, maxLength: maxOthers }),
    }),
  );

describe('tokens, log-probability bits and KV bytes never change', () => {
  it('alone or with up to 31 others, in any chunks, from other blocks', async () => {
    await fc.assert(
      fc.asyncProperty(
        company(31),
        fc.nat({ max: 500 }),
        async ({ spec, mode, kvCacheDtype, sequence, others }, firstBlock) => {
          await using quiet = await openTiny(spec, { mode, options: { kvCacheDtype } });
          const [alone] = await runTogether(quiet, [undisturbed(sequence)]);
          await using busy = await openTiny(spec, { mode, options: { kvCacheDtype } });
          const all = await runTogether(busy, [...others, sequence], firstBlock);
          expect(all.at(-1)).toEqual(alone);
        },
      ),
      fcParameters(numRuns),
    );
  }, 120_000);

  it('with one thread, two or five', async () => {
    await fc.assert(
      fc.asyncProperty(company(9), async ({ spec, mode, kvCacheDtype, sequence, others }) => {
        const runs = [];
        for (const numThreads of [1, 2, 5]) {
          await using tiny = await openTiny(spec, { mode, options: { kvCacheDtype, numThreads } });
          runs.push(await runTogether(tiny, [sequence, ...others]));
        }
        expect(runs[1]).toEqual(runs[0]);
        expect(runs[2]).toEqual(runs[0]);
      }),
      fcParameters(numRuns),
    );
  }, 120_000);

  it('in blocks of 16, 32 or 64 tokens (tokens and bits; block bytes differ by layout)', async () => {
    await fc.assert(
      fc.asyncProperty(company(5), async ({ spec, mode, kvCacheDtype, sequence, others }) => {
        const runs = [];
        for (const blockSize of [16, 32, 64]) {
          await using tiny = await openTiny(spec, { mode, options: { kvCacheDtype, blockSize } });
          const records = await runTogether(tiny, [sequence, ...others]);
          runs.push(records.map(({ tokens, numbers }) => ({ tokens, numbers })));
        }
        expect(runs[1]).toEqual(runs[0]);
        expect(runs[2]).toEqual(runs[0]);
      }),
      fcParameters(numRuns),
    );
  }, 120_000);

  it('on every kernel path of this machine (but the bf16 dot, which rounds in its own way)', async () => {
    const paths = createCpuBackend().deviceInfo.kernelPaths.map((name) => name.replace(/-vnni.*/, '') as 'avx512');
    await fc.assert(
      fc.asyncProperty(company(5), async ({ spec, mode, kvCacheDtype, sequence, others }) => {
        const isInteger = !['f32', 'f16', 'bf16'].includes(spec.encoding);
        const bits =
          mode === 'float32' || (isInteger && spec.hiddenSize % 32 === 0 && spec.intermediateSize % 32 === 0);
        const runs = [];
        for (const isa of paths) {
          await using tiny = await openTiny(
            { ...spec, numHeads: 2, numKvHeads: 1, headDim: 16 },
            { mode: bits ? mode : 'float32', backend: { isa }, options: { kvCacheDtype } },
          );
          runs.push(await runTogether(tiny, [sequence, ...others]));
        }
        for (const run of runs) expect(run).toEqual(runs[0]);
      }),
      fcParameters(numRuns),
    );
  }, 120_000);

  it('with drafts, right and wrong, or without', async () => {
    await fc.assert(
      fc.asyncProperty(
        company(5),
        fc.infiniteStream(fc.nat()),
        async ({ spec, mode, kvCacheDtype, sequence, others }, noise) => {
          await using plain = await openTiny(spec, { mode, options: { kvCacheDtype } });
          const expected = await runTogether(plain, [sequence, ...others]);
          // Drafts that repeat what a sequence says are often right; noise is mostly wrong.
          const drafted = [sequence, ...others].map((each, i) => ({
            ...each,
            drafts: i % 2 === 0 ? expected[i]!.tokens.slice(1, 4) : [noise.next().value % spec.vocabSize],
          }));
          await using speculative = await openTiny(spec, { mode, options: { kvCacheDtype } });
          expect(await runTogether(speculative, drafted)).toEqual(expected);
        },
      ),
      fcParameters(numRuns),
    );
  }, 120_000);
});
