import type { NumericMode, SessionOptions } from '@kvasir/interfaces';
import { type CpuIsa, createCpuBackend } from '@kvasir/kernels-cpu';
import { fcParameters, type TinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { expect } from 'vitest';
import { runTogether } from './driver.js';
import { plainSequence } from './sequences.js';
import { openTiny } from './tiny-session.js';

/** Tokens between the borders at which attention merges, and may share its work between threads. */
const PARTITION = 256;

const SPEC: TinyModelSpec = {
  family: 'gemma',
  numLayers: 2,
  hiddenSize: 32,
  numHeads: 6,
  numKvHeads: 2,
  headDim: 16,
  intermediateSize: 32,
  vocabSize: 40,
  maxPositions: 4096,
  tied: true,
  window: 300,
  softcap: undefined,
  bias: false,
  interleavedRope: false,
  encoding: 'q8_0',
  seed: 11,
};

/** How far {@link checkContextBorders} goes. */
export interface BorderRange {
  readonly numRuns: number;
  /** Sequences in one step, at most. */
  readonly maxBatch: number;
  /** Borders that a context may cross. */
  readonly maxBorders: number;
  /** Sequences with such contexts beside the first; the others are short. */
  readonly maxLongCompanions: number;
}

/**
 * A sequence whose decode steps cross a border says the same alone on one thread of the first kernel path, and on any path in a batch of any
 * size, on several threads, its prompt in any chunks.
 */
export async function checkContextBorders(range: BorderRange): Promise<void> {
  const paths = createCpuBackend().deviceInfo.kernelPaths.map((name) => name.split('-')[0] as CpuIsa);
  const maxModelLen = PARTITION * range.maxBorders + 16;
  const context = fc
    .record({ border: fc.integer({ min: 1, max: range.maxBorders }), delta: fc.constantFrom(-2, -1, 0, 1) })
    .map(({ border, delta }) => PARTITION * border + delta);
  const tokens = fc.infiniteStream(fc.nat({ max: SPEC.vocabSize - 1 }));
  const take = (stream: Iterator<number>, length: number) =>
    Array.from({ length }, () => stream.next().value as number);
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        isa: fc.constantFrom(...paths),
        mode: fc.constantFrom<NumericMode>('auto', 'float32'),
        kvCacheDtype: fc.constantFrom<SessionOptions['kvCacheDtype']>('auto', 'float32', 'bfloat16', 'int8'),
        numThreads: fc.integer({ min: 2, max: 5 }),
        contexts: fc.array(context, { minLength: 1, maxLength: 1 + range.maxLongCompanions }),
        batch: fc.integer({ min: 1, max: range.maxBatch }),
        chunk: fc.integer({ min: 30, max: 600 }),
        tokens,
      }),
      async ({ isa, mode, kvCacheDtype, numThreads, contexts, batch, chunk, tokens: stream }) => {
        const lengths = Array.from({ length: Math.max(batch, contexts.length) }, (_, i) => contexts[i] ?? 1 + (i % 9));
        const sequences = lengths.map((length, i) =>
          plainSequence({ prompt: take(stream, length), numTokens: 4, chunk, temperature: i % 2, seed: BigInt(i) }),
        );
        const options = {
          kvCacheDtype,
          maxModelLen,
          maxSlots: 64,
          numBlocks: numBlocksFor(maxModelLen),
          maxTokensPerStep: 640,
        };
        await using quiet = await openTiny(SPEC, {
          mode,
          backend: { isa: paths[0]! },
          options: { ...options, numThreads: 1 },
        });
        const [alone] = await runTogether(quiet, [{ ...sequences[0]!, chunk: 640 }]);
        await using busy = await openTiny(SPEC, { mode, backend: { isa }, options: { ...options, numThreads } });
        const [first] = await runTogether(busy, sequences);
        expect(first).toEqual(alone);
      },
    ),
    fcParameters(range.numRuns),
  );
}

/** Blocks for two tables of each slot; the driver steps through them by 7. */
function numBlocksFor(maxModelLen: number): number {
  const numUsed = 2 * 64 * Math.ceil(maxModelLen / 16);
  return 1 + numUsed + (numUsed % 7 === 0 ? 1 : 0);
}
