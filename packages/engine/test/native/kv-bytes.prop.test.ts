import type { Program, Session, SessionOptions } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createTinyModel, fcParameters, StepBuilder, tinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const BLOCK_SIZE = 16;
const MAX_LENGTH = 80;
const TABLE_LENGTH = MAX_LENGTH / BLOCK_SIZE;

/** Blocks of a slot in a group; `shift` moves them all, so that the same sequence lies elsewhere. */
function blocksOf(slot: number, group: number, shift: number): number[] {
  return Array.from({ length: TABLE_LENGTH }, (_, i) => 1 + shift + (2 * slot + group) * TABLE_LENGTH + i);
}

async function openSession(
  program: Program,
  options: Pick<SessionOptions, 'mode' | 'kvCacheDtype'>,
  numThreads: number,
): Promise<Session> {
  return createCpuBackend().openSession({
    ...options,
    programs: [program],
    blockSize: BLOCK_SIZE,
    numBlocks: 64,
    maxSlots: 4,
    maxModelLen: MAX_LENGTH,
    maxTokensPerStep: 4 * MAX_LENGTH,
    maxOutputsPerStep: 8,
    maxTopLogprobs: 0,
    maxInFlight: 1,
    eosTokenIds: [],
    numThreads,
  });
}

function start(step: StepBuilder, program: Program, slot: number, history: readonly number[], shift: number): void {
  step.init({ slot, history, maxLength: history.length + 1 });
  program.kvGroups.forEach((_, group) => {
    step.table(slot, group, 0, blocksOf(slot, group, shift));
  });
}

/** Bytes of every block of slot 0 that is full. */
async function fullBlocks(session: Session, program: Program, length: number, shift: number): Promise<Uint8Array[]> {
  const bytes: Uint8Array[] = [];
  for (const group of program.kvGroups.keys()) {
    for (const block of blocksOf(0, group, shift).slice(0, Math.floor(length / BLOCK_SIZE))) {
      bytes.push(await session.readBlock(group, block));
    }
  }
  return bytes;
}

describe('bytes in the KV cache', () => {
  it('are the same alone in one chunk, and in company, in chunks, in other blocks, on more threads', async () => {
    let numCompared = 0;
    const tokens = fc.array(fc.nat({ max: 16 }), { minLength: BLOCK_SIZE, maxLength: MAX_LENGTH - 1 });
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        tokens,
        fc.array(tokens, { maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
        fc.record({
          mode: fc.constantFrom<'auto' | 'float32'>('auto', 'float32'),
          kvCacheDtype: fc.constantFrom<'auto' | 'float32' | 'float16' | 'bfloat16'>(
            'auto',
            'float32',
            'float16',
            'bfloat16',
          ),
        }),
        async (spec, history, company, chunks, options) => {
          using model = createTinyModel(spec);
          const { program } = model;
          const alone = await openSession(program, options, 1);
          const whole = new StepBuilder(1);
          start(whole, program, 0, history, 0);
          await alone.step(whole.row(0, history.length).build());
          const crowded = await openSession(program, options, 2);
          const lengths = [history, ...company].map(({ length }) => length);
          const done = lengths.map(() => 0);
          for (let stepId = 1; done[0]! < history.length; stepId++) {
            const step = new StepBuilder(stepId);
            if (stepId === 1)
              for (const [slot, each] of [history, ...company].entries()) start(step, program, slot, each, 7);
            for (const [slot, length] of lengths.entries()) {
              const numQuery = Math.min(length - done[slot]!, chunks[(stepId + slot) % chunks.length]!);
              if (numQuery > 0) step.row(slot, numQuery);
              done[slot]! += numQuery;
            }
            await crowded.step(step.build());
          }
          const expected = await fullBlocks(alone, program, history.length, 0);
          expect(await fullBlocks(crowded, program, history.length, 7)).toEqual(expected);
          numCompared += expected.length;
          await Promise.all([alone.close(), crowded.close()]);
        },
      ),
      fcParameters(60),
    );
    if (process.env['FC_PATH'] === undefined) expect(numCompared).toBeGreaterThan(60);
  }, 120_000);
});
