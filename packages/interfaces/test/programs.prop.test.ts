import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type OutputResult, openSession, readResult, withTables } from './support/sessions.js';

/** KV groups of the two programs of a contract session. */
const NUM_GROUPS = [2, 1] as const;
const MAX_LENGTH = 24;

/** A sequence of program `p` lives in slot `p` and has a row in step `i` if `steps[i]`. */
interface Life {
  readonly history: readonly number[];
  readonly seed: bigint;
  readonly temperature: number;
  readonly steps: readonly boolean[];
}

const life: fc.Arbitrary<Life> = fc.record({
  history: fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 9 }),
  seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  temperature: fc.constantFrom(0, 0.7, 1.5),
  steps: fc.array(fc.boolean(), { minLength: 4, maxLength: 10 }),
});

/** Outputs of each program of `lives`; a program without a life does not run. */
async function run(lives: readonly (Life | undefined)[]): Promise<OutputResult[][]> {
  await using opened = await openSession('fake');
  const found: OutputResult[][] = lives.map(() => []);
  const hasBegun = lives.map(() => false);
  const numSteps = Math.max(...lives.map((each) => each?.steps.length ?? 0));
  for (let i = 0; i < numSteps; i++) {
    const step = new StepBuilder(i + 1);
    const present: number[] = [];
    for (const [slot, each] of lives.entries()) {
      if (each?.steps[i] !== true) continue;
      const { history, seed, temperature } = each;
      if (!hasBegun[slot]) {
        const init = { slot, program: slot, history, seed, temperature, maxLength: MAX_LENGTH, ignoreEos: true };
        withTables(step.init(init), slot, NUM_GROUPS[slot]);
      }
      step.sampleRow(slot, hasBegun[slot] ? 1 : history.length, [], { topK: 0 });
      hasBegun[slot] = true;
      present.push(slot);
    }
    const { outputs } = readResult(await opened.session.step(step.build()));
    for (const [row, slot] of present.entries()) found[slot]!.push(outputs[row]!);
  }
  return found;
}

it('two Programs of a session, each at its own pace, give what each gives alone', async () => {
  let numTogether = 0;
  await fc.assert(
    fc.asyncProperty(life, life, async (target, draft) => {
      const together = await run([target, draft]);
      expect(together).toEqual([(await run([target, undefined]))[0], (await run([undefined, draft]))[1]]);
      numTogether += Number(target.steps.some((isThere, i) => isThere && draft.steps[i] === true));
    }),
    fcParameters(100),
  );
  if (process.env['FC_PATH'] === undefined) expect(numTogether).toBeGreaterThan(0);
});
