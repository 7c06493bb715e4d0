import { decoderProgram, openModel } from '@kvasir/model';
import { fcParameters, type GoldenModel, readGoldens, samplingExtras, type TinyRequest } from '@kvasir/testing';
import { loadTokenizer } from '@kvasir/tokenizer';
import fc from 'fast-check';
import { expect } from 'vitest';
import { choiceEssence, essence, runChoicesAlone, runChoicesTogether, runTogether } from './essence.js';
import { type NativeOptions, openNativeEngine, POLICIES } from './native-engine.js';

/** How much a run of {@link checkRealModel} does. */
export interface RealModelBounds {
  readonly numRuns: number;
  readonly maxOthers: number;
  /** Default 1. */
  readonly minPrompt?: number;
  readonly maxPrompt: number;
  readonly maxTokens: number;
}

/** What the cases of one call reached. */
export interface RealModelReach {
  numCases: number;
  numPreemptions: number;
  prefixHitTokens: number;
  numForks: number;
  hostHitTokens: number;
  elapsedMs: number;
}

const BLOCK_SIZE = 16;

/**
 * The same requests alone and in random company, chunks, threads, pools and cache states give the same ids and the same bits of every
 * log-probability, on a real checkpoint.
 */
export async function checkRealModel(
  path: string,
  name: GoldenModel,
  bounds: RealModelBounds,
): Promise<RealModelReach> {
  const description = await openModel(path);
  const tokenizer = await loadTokenizer(description.tokenizer);
  const texts = readGoldens(name).score.map(({ ids }) => ids);
  const maxModelLen = bounds.maxPrompt + bounds.maxTokens + 1;
  const { generation } = description;
  const program = decoderProgram(description);
  const blocksOfOne = program.kvGroups.length * Math.ceil(maxModelLen / BLOCK_SIZE);
  const reach = { numCases: 0, numPreemptions: 0, prefixHitTokens: 0, numForks: 0, hostHitTokens: 0, elapsedMs: 0 };
  const startMs = performance.now();

  const request = fc
    .record({
      text: fc.nat({ max: texts.length - 1 }),
      from: fc.constantFrom(0, 0, 1, 5),
      length: fc.integer({ min: bounds.minPrompt ?? 1, max: bounds.maxPrompt }),
      maxTokens: fc.integer({ min: 1, max: bounds.maxTokens }),
      temperature: fc.constantFrom(0, 0, 0.8, 1.3),
      topK: fc.constantFrom(0, 40),
      topP: fc.constantFrom(1, 0.9),
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      ignoreEos: fc.constant(true),
      extras: samplingExtras(program.vocabSize),
      minTokens: fc.constant(0),
      logprobs: fc.constantFrom(0, 4),
      promptLogprobs: fc.constantFrom(undefined, undefined, 0),
      stopTokenIds: fc.constant<number[]>([]),
    })
    .map(({ text, from, length, extras, ...rest }): TinyRequest => {
      const ids = texts[text]!;
      return { ...rest, ...extras, prompt: Array.from({ length }, (_, i) => ids[(from + i) % ids.length]!) };
    });

  const shape = fc.record({
    mode: fc.constantFrom<'auto' | 'float32'>('auto', 'auto', 'float32'),
    numThreads: fc.constantFrom(1, 2),
    maxNumSeqs: fc.integer({ min: 1, max: bounds.maxOthers + 1 }),
    extraTokens: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 510 })),
    // Room for little more than one sequence, or for all.
    spareBlocks: fc.constantFrom(0, 2, blocksOfOne * (bounds.maxOthers + 1)),
    maxInFlight: fc.constantFrom<1 | 2>(1, 2),
    cache: fc.constantFrom<Pick<NativeOptions, 'enablePrefixCaching' | 'hostBlocks'>>(
      { enablePrefixCaching: false },
      { enablePrefixCaching: true },
      { enablePrefixCaching: true, hostBlocks: 200 },
    ),
    policy: fc.constantFrom(...POLICIES),
    /** In turn for the requests; the first is the observed one. */
    numChoices: fc.array(fc.constantFrom(1, 1, 2, 3), { minLength: 1, maxLength: 3 }),
  });

  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: bounds.maxOthers + 1, size: 'max' }),
      shape,
      async (requests, { extraTokens, spareBlocks, numThreads, numChoices, cache, ...options }) => {
        const common = {
          ...options,
          program,
          tokenizer,
          kvCacheDtype: 'auto' as const,
          blockSize: BLOCK_SIZE,
          maxModelLen,
          eosTokenIds: generation.eosTokenIds,
        };
        const quiet: NativeOptions = {
          ...common,
          numThreads: 1,
          maxNumSeqs: 1,
          maxInFlight: 1,
          enablePrefixCaching: false,
          maxNumBatchedTokens: 512,
          numBlocks: 1 + blocksOfOne,
        };
        const [observed] = requests;
        const alone = await openNativeEngine(quiet);
        const forked = requests.map((tiny, i) => ({ tiny, n: numChoices[i % numChoices.length]!, priority: i % 3 }));
        const [expected] = await runChoicesAlone(alone, [forked[0]!]);
        await alone.close();
        const engine = await openNativeEngine({
          ...common,
          ...cache,
          numThreads,
          maxNumBatchedTokens: options.maxNumSeqs + extraTokens,
          numBlocks: 1 + blocksOfOne + spareBlocks,
        });
        const together = await runChoicesTogether(engine, forked);
        expect(together[0]!.map(choiceEssence)).toEqual(expected!.map(choiceEssence));
        reach.numForks += forked.reduce((sum, { n }) => sum + n - 1, 0);
        expect((await runTogether(engine, [observed!])).map(essence)[0]).toEqual(essence(expected![0]!));
        engine.checkIntegrity();
        reach.numCases++;
        reach.numPreemptions += engine.stats().numPreemptions;
        reach.hostHitTokens += engine.stats().hostTier?.hitTokens ?? 0;
        reach.prefixHitTokens += engine.stats().prefixHitTokens;
        await engine.close();
      },
    ),
    fcParameters(bounds.numRuns),
  );
  reach.elapsedMs = Math.round(performance.now() - startMs);
  return reach;
}
