import type { DecoderProgram, Session, SessionOptions } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { decoderProgram, openModel } from '@kvasir/model';
import { createTinyModel, fcParameters, StepBuilder, tinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const BLOCK_SIZE = 16;
const MAX_LENGTH = 80;
const TABLE_LENGTH = MAX_LENGTH / BLOCK_SIZE;

const MAX_SLOTS = 4;
const MAX_SHIFT = 7;

/** Blocks of a slot in a group; `shift` moves them all, so that the same sequence lies elsewhere. */
function blocksOf(program: DecoderProgram, slot: number, group: number, shift: number): number[] {
  const first = 1 + shift + (slot * program.kvGroups.length + group) * TABLE_LENGTH;
  return Array.from({ length: TABLE_LENGTH }, (_, i) => first + i);
}

async function openSession(
  program: DecoderProgram,
  options: Pick<SessionOptions, 'mode' | 'kvCacheDtype'>,
  numThreads: number,
): Promise<Session> {
  return createCpuBackend().openSession({
    ...options,
    programs: [program],
    blockSize: BLOCK_SIZE,
    numBlocks: 1 + MAX_SHIFT + MAX_SLOTS * program.kvGroups.length * TABLE_LENGTH,
    maxSlots: MAX_SLOTS,
    maxModelLen: MAX_LENGTH,
    maxTokensPerStep: MAX_SLOTS * MAX_LENGTH,
    maxOutputsPerStep: 8,
    maxTopLogprobs: 0,
    maxInFlight: 1,
    eosTokenIds: [],
    numThreads,
  });
}

function start(
  step: StepBuilder,
  program: DecoderProgram,
  slot: number,
  history: readonly number[],
  shift: number,
): void {
  step.init({ slot, history, maxLength: history.length + 1 });
  program.kvGroups.forEach((_, group) => {
    step.table(slot, group, 0, blocksOf(program, slot, group, shift));
  });
}

/** Bytes of every block of slot 0 that is full. */
async function fullBlocks(
  session: Session,
  program: DecoderProgram,
  length: number,
  shift: number,
): Promise<Uint8Array[]> {
  const bytes: Uint8Array[] = [];
  for (const group of program.kvGroups.keys()) {
    for (const block of blocksOf(program, 0, group, shift).slice(0, Math.floor(length / BLOCK_SIZE))) {
      bytes.push(await session.readBlock(group, block));
    }
  }
  return bytes;
}

/** What one comparison is about: slot 0 holds `history`, the others `company`; chunk sizes are taken in turn. */
interface Company {
  readonly history: readonly number[];
  readonly company: readonly (readonly number[])[];
  readonly chunks: readonly number[];
  readonly options: Pick<SessionOptions, 'mode' | 'kvCacheDtype'>;
}

/**
 * Expects every full block of `history` to hold the same bytes computed alone in one chunk, and in company, in chunks, in
 * other blocks and on two threads. A chunk of one token is what decoding does.
 * @returns The number of blocks that were compared.
 */
async function compareBytes(program: DecoderProgram, { history, company, chunks, options }: Company): Promise<number> {
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
      for (const [slot, each] of [history, ...company].entries()) start(step, program, slot, each, MAX_SHIFT);
    for (const [slot, length] of lengths.entries()) {
      const numQuery = Math.min(length - done[slot]!, chunks[(stepId + slot) % chunks.length]!);
      if (numQuery > 0) step.row(slot, numQuery);
      done[slot]! += numQuery;
    }
    await crowded.step(step.build());
  }
  const expected = await fullBlocks(alone, program, history.length, 0);
  expect(await fullBlocks(crowded, program, history.length, MAX_SHIFT)).toEqual(expected);
  await Promise.all([alone.close(), crowded.close()]);
  return expected.length;
}

function companyOf(vocabSize: number): fc.Arbitrary<Company> {
  const tokens = fc.array(fc.nat({ max: vocabSize - 1 }), { minLength: BLOCK_SIZE, maxLength: MAX_LENGTH - 1 });
  return fc.record({
    history: tokens,
    company: fc.array(tokens, { maxLength: MAX_SLOTS - 1 }),
    chunks: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
    options: fc.record({
      mode: fc.constantFrom<'auto' | 'float32'>('auto', 'float32'),
      kvCacheDtype: fc.constantFrom<'auto' | 'float32' | 'float16' | 'bfloat16' | 'int8'>(
        'auto',
        'float32',
        'float16',
        'bfloat16',
        'int8',
      ),
    }),
  });
}

describe('bytes in the KV cache are the same alone in one chunk, and in company, in chunks, in other blocks, on more threads', () => {
  it('of tiny random models', async () => {
    let numCompared = 0;
    await fc.assert(
      fc.asyncProperty(tinyModelSpec(), companyOf(17), async (spec, company) => {
        using model = createTinyModel(spec);
        numCompared += await compareBytes(model.program, company);
      }),
      fcParameters(60),
    );
    if (process.env['FC_PATH'] === undefined) expect(numCompared).toBeGreaterThan(60);
  }, 120_000);

  it.each(['KVASIR_TEST_SMOLLM2', 'KVASIR_TEST_GEMMA3'])(
    'of the real model in %s',
    async (variable) => {
      const program = decoderProgram(await openModel(process.env[variable] as string));
      let numCompared = 0;
      await fc.assert(
        fc.asyncProperty(companyOf(program.vocabSize), async (company) => {
          numCompared += await compareBytes(program, company);
        }),
        // Shrinking would load the model hundreds of times.
        { ...fcParameters(3), endOnFailure: true },
      );
      if (process.env['FC_PATH'] === undefined) expect(numCompared).toBeGreaterThan(2);
    },
    120_000,
  );
});
