import { choiceSeed, type GenerateRequest, type StepResult } from '@kvasir/interfaces';
import { fcParameters, type TinyRequest, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock, OutputStream } from '../../src/index.js';
import { collect, type Harness, type Joined, join, joinChoices, request, startEngine } from '../support/harness.js';
import { POLICIES } from '../support/native-engine.js';

const bounds = { vocabSize: 8, maxPrompt: 8, maxTokens: 8 };
const endings = new Map<string, number>();
const rejections: unknown[] = [];
let numBeams = 0;
const onRejection = (reason: unknown) => rejections.push(reason);

type Fate = 'runs' | 'aborted' | 'signalled' | 'left' | 'timed';

interface Story {
  readonly tiny: TinyRequest;
  readonly n: number;
  /** The choices are beams. */
  readonly isBeam: boolean;
  readonly fate: Fate;
}

/** What a consumer saw of one choice, and how that ended. */
interface Seen {
  readonly tokenIds: number[];
  ending: string;
  numAfterEnd: number;
}

async function watch(stream: OutputStream, leaveAfter: number): Promise<Seen[]> {
  const choices = Array.from(
    { length: stream.numChoices },
    (): Seen => ({ tokenIds: [], ending: 'left', numAfterEnd: 0 }),
  );
  let numTokens = 0;
  try {
    for await (const delta of stream) {
      const choice = choices[delta.index]!;
      if (choice.ending !== 'left') choice.numAfterEnd++;
      choice.tokenIds.push(...delta.tokenIds);
      numTokens += delta.tokenIds.length;
      if (delta.finishReason !== undefined) choice.ending = delta.finishReason;
      if (numTokens >= leaveAfter && choices.some(({ ending }) => ending === 'left')) break;
    }
  } catch (error) {
    for (const choice of choices) if (choice.ending === 'left') choice.ending = (error as Error).name;
  }
  return choices;
}

const BEAM = { lengthPenalty: 1, earlyStopping: false };

/** The request of a story; one for beams leaves out what has no part in them. */
function requestOf({ tiny, n, isBeam, fate }: Story, id: string): GenerateRequest {
  const { prompt, ...sampling } = tiny;
  const extras = { n, ...(fate === 'timed' ? { timeoutMs: 50 } : {}) };
  if (!isBeam) return request(prompt, sampling, id, extras);
  const { maxTokens, minTokens, ignoreEos, seed } = sampling;
  const own = { maxTokens, minTokens, ignoreEos, seed };
  return request(prompt, own, id, { ...extras, beam: { width: 3, ...BEAM } });
}

describe('races between steps, failing ones too, submits, aborts, signals, timeouts, leavers and close', () => {
  beforeAll(() => void process.on('unhandledRejection', onRejection));
  afterAll(() => {
    process.off('unhandledRejection', onRejection);
    expect(rejections).toEqual([]);
    if (process.env['FC_PATH'] !== undefined) return;
    expect(numBeams).toBeGreaterThan(5);
    for (const ending of [
      'stop',
      'length',
      'abort',
      'AbortError',
      'left',
      'StepFailedError',
      'DeadlineExceededError',
    ]) {
      expect(endings.get(ending) ?? 0, ending).toBeGreaterThan(5);
    }
  });

  const story = fc.record<Story>({
    tiny: tinyRequest(bounds),
    n: fc.constantFrom(1, 1, 2, 3),
    isBeam: fc.constantFrom(false, false, false, true),
    fate: fc.constantFrom<Fate>('runs', 'runs', 'aborted', 'signalled', 'left', 'timed'),
  });

  it('each request ends once, nothing follows its end, its tokens are those of a quiet run, and every block is free', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(story, { minLength: 1, maxLength: 6 }),
        fc.constantFrom<1 | 2>(1, 2),
        fc.boolean(),
        fc.oneof({ weight: 3, arbitrary: fc.constant<number[]>([]) }, fc.uniqueArray(fc.integer({ min: 1, max: 12 }))),
        fc.boolean(),
        fc.constantFrom(...POLICIES),
        async (scheduler, stories, maxInFlight, closesEarly, failing, hasTier, policy) => {
          const gate = scheduler.scheduleFunction(async (_stepId: number, work: () => StepResult) => work());
          // Time passes when a sleep ends, and sleeps end in any order with steps and calls.
          let nowMs = 0;
          const clock: Clock = {
            now: () => nowMs,
            sleep: async (ms) => {
              const endMs = nowMs + ms;
              await scheduler.schedule(Promise.resolve(`until ${endMs}`));
              nowMs = Math.max(nowMs, endMs);
            },
          };
          const { engine, kvCache } = await startEngine({
            ...bounds,
            clock,
            maxModelLen: 16,
            maxNumSeqs: 3,
            maxNumBatchedTokens: 5,
            blockSize: 2,
            numBlocks: 14,
            maxInFlight,
            policy,
            ...(hasTier ? { hostBlocks: 20 } : {}),
            fails: (stepId) => failing.includes(stepId),
            gate: (stepId, work) => gate(stepId, work),
          });
          const act = (label: string, run: () => void) => scheduler.schedule(Promise.resolve(label)).then(run);
          const watched: Promise<Seen[] | undefined>[] = stories.map(async (story, index) => {
            const { fate } = story;
            const id = `r${index}`;
            const controller = new AbortController();
            await scheduler.schedule(Promise.resolve(`submit ${id}`));
            if (closesEarly && isClosed(engine)) return undefined;
            const stream = engine.submit(requestOf(story, id), { signal: controller.signal });
            if (fate === 'aborted') void act(`abort ${id}`, () => void engine.abort(id));
            if (fate === 'signalled') void act(`signal ${id}`, () => controller.abort());
            return watch(stream, fate === 'left' ? 2 : Number.POSITIVE_INFINITY);
          });
          if (closesEarly) void act('close', () => void engine.close());
          await scheduler.waitFor(Promise.all(watched));
          await scheduler.waitFor(engine.close());
          const seen = await Promise.all(watched);
          engine.checkIntegrity();
          expect(kvCache.numFreeBlocks).toBe(kvCache.numBlocks);
          expect(engine.numUnfinished).toBe(0);
          await checkAgainstQuietRuns(stories, seen);
        },
      ),
      fcParameters(150),
    );
  }, 120_000);
});

function isClosed(engine: Awaited<ReturnType<typeof startEngine>>['engine']): boolean {
  try {
    engine.submit(request([1], { maxTokens: 1 }, 'probe')).return();
    return false;
  } catch {
    return true;
  }
}

async function checkAgainstQuietRuns(stories: readonly Story[], seen: readonly (Seen[] | undefined)[]): Promise<void> {
  const { engine } = await startEngine({ ...bounds, maxModelLen: 16, blockSize: 2 });
  for (const [index, choices] of seen.entries()) {
    if (choices === undefined) continue;
    const story = stories[index]!;
    const quiet = await quietChoices(engine, story);
    for (const [choice, { tokenIds, ending, numAfterEnd }] of choices.entries()) {
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
      const own = quiet[choice]!;
      expect(numAfterEnd).toBe(0);
      expect(own.tokenIds.slice(0, tokenIds.length)).toEqual(tokenIds);
      if (ending !== 'stop' && ending !== 'length') continue;
      numBeams += story.isBeam ? 1 : 0;
      expect(tokenIds).toEqual(own.tokenIds);
      expect(ending).toBe(own.last.finishReason);
    }
  }
  await collect(engine.submit(request([1], { maxTokens: 1 })));
  await engine.close();
}

/** Beams as a quiet engine finds them; other choices as requests of their own. */
async function quietChoices(engine: Harness['engine'], story: Story): Promise<Joined[]> {
  if (story.isBeam) return joinChoices(engine.submit(requestOf({ ...story, fate: 'runs' }, 'quiet')), story.n);
  const { prompt, ...sampling } = story.tiny;
  const choices: Joined[] = [];
  for (let i = 0; i < story.n; i++) {
    choices.push(await join(engine.submit(request(prompt, { ...sampling, seed: choiceSeed(sampling.seed, i) }))));
  }
  return choices;
}
