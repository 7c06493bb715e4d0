import { STEP_HEADER_WORDS, type StepBatch } from '@kvasir/interfaces';
import { InvalidStepError, readStep, type StepRecords } from '@kvasir/kernels-cpu/reference';
import { fcParameters, StepBuilder, samplingExtras } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const id = fc.nat({ max: 7 });
const ids = fc.array(id, { minLength: 1, maxLength: 5 });

const slotOp = fc.oneof(
  fc.record({
    kind: fc.constant('init' as const),
    slot: id,
    history: ids,
    seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    temperature: fc.constantFrom(0, 0.5, 1.25),
    stopIds: fc.array(id, { maxLength: 3 }),
    extras: samplingExtras(8),
  }),
  fc.record({ kind: fc.constant('truncate' as const), slot: id, historyLength: id, numComputed: id }),
  fc.record({ kind: fc.constant('fork' as const), source: id, slot: id, choice: id }),
  fc.record({ kind: fc.constant('release' as const), slot: id }),
);

const rows = fc.array(
  fc.record({ slot: id, numKnown: fc.integer({ min: 1, max: 4 }), drafts: fc.array(id, { maxLength: 3 }) }),
  { maxLength: 4 },
);

const batches = fc
  .record({
    stepId: fc.integer({ min: 1, max: 1 << 30 }),
    ops: fc.array(slotOp, { maxLength: 4 }),
    rows,
    tables: fc.array(fc.record({ slot: id, group: id, start: id, ids }), { maxLength: 3 }),
    copies: fc.array(fc.record({ group: id, src: id, dst: id }), { maxLength: 3 }),
  })
  .map((content) => ({ content, batch: write(content) }));

type Content = Parameters<typeof write>[0];

function write(content: {
  stepId: number;
  ops: readonly (typeof slotOp extends fc.Arbitrary<infer T> ? T : never)[];
  rows: readonly { slot: number; numKnown: number; drafts: readonly number[] }[];
  tables: readonly { slot: number; group: number; start: number; ids: readonly number[] }[];
  copies: readonly { group: number; src: number; dst: number }[];
}): StepBatch {
  const step = new StepBuilder(content.stepId);
  for (const op of content.ops) {
    if (op.kind === 'init') step.init({ ...op, ...op.extras, maxLength: 9 });
    else if (op.kind === 'truncate') step.truncate(op.slot, op.historyLength, op.numComputed);
    else if (op.kind === 'fork') step.fork(op.source, op.slot, op.choice);
    else step.release(op.slot);
  }
  for (const row of content.rows) step.sampleRow(row.slot, row.numKnown, row.drafts);
  for (const table of content.tables) step.table(table.slot, table.group, table.start, table.ids);
  for (const { group, src, dst } of content.copies) step.copy(group, src, dst);
  return step.build();
}

/** What the reader found, in the writer's terms. */
function understood(records: StepRecords): unknown {
  return {
    stepId: records.stepId,
    slots: records.slotOps.map(({ slot }) => slot),
    histories: records.slotOps.map(({ history }) => [...history]),
    stopIds: records.slotOps.map(({ stopIds }) => [...stopIds]),
    extras: records.slotOps.map((op) => [
      [op.minP, op.typicalP, op.repetitionPenalty, op.presencePenalty, op.frequencyPenalty],
      [...op.logitBias],
      [...op.allowedIds],
      op.badWords,
    ]),
    seeds: records.slotOps.map(({ seed }) => seed),
    temperatures: records.slotOps.map(({ temperature }) => temperature),
    rows: records.rows.map(({ slot, numQuery, drafts }) => [slot, numQuery, [...drafts]]),
    outputs: records.outputs.map(({ row, tokenIndex, slot }) => [row, tokenIndex, slot]),
    tables: records.tableUpdates.map(({ slot, group, start, ids: blockIds }) => ({
      slot,
      group,
      start,
      ids: [...blockIds],
    })),
    copies: records.transfers.map(({ group, src, dst }) => ({ group, src, dst })),
  };
}

function meant({ stepId, ops, rows: planned, tables, copies }: Content): unknown {
  const inits = ops.map((op) => (op.kind === 'init' ? op : undefined));
  return {
    stepId,
    slots: ops.map(({ slot }) => slot),
    histories: inits.map((op) => op?.history ?? []),
    stopIds: inits.map((op) => op?.stopIds ?? []),
    extras: inits.map((op) => {
      if (op === undefined) return [[0, 0, 0, 0, 0], [], [], []];
      const { minP, typicalP, repetitionPenalty, presencePenalty, frequencyPenalty } = op.extras;
      const numbers = [minP, typicalP, repetitionPenalty, presencePenalty, frequencyPenalty].map(Math.fround);
      return [numbers, [...op.extras.logitBias], op.extras.allowedTokenIds ?? [], op.extras.badWords];
    }),
    seeds: inits.map((op) => op?.seed ?? 0n),
    temperatures: inits.map((op) => op?.temperature ?? 0),
    rows: planned.map(({ slot, numKnown, drafts }) => [slot, numKnown + drafts.length, drafts]),
    outputs: planned.flatMap(({ slot, numKnown, drafts }, row) =>
      Array.from({ length: drafts.length + 1 }, (_, i) => [row, numKnown - 1 + i, slot]),
    ),
    tables,
    copies,
  };
}

describe('the arena of a step', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(batches, ({ content, batch }) => {
        expect(understood(readStep(batch))).toEqual(meant(content));
      }),
      fcParameters(200),
    );
  });

  it('refuses any other word in its header', () => {
    fc.assert(
      fc.property(batches, fc.nat({ max: STEP_HEADER_WORDS - 1 }), fc.integer(), ({ batch }, at, word) => {
        fc.pre(batch.words[at] !== word);
        const words = batch.words.slice();
        words[at] = word;
        let read: StepRecords | undefined;
        try {
          read = readStep({ words, numWords: batch.numWords });
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidStepError);
          return;
        }
        // Another step id, or a section that claims fewer records or starts elsewhere in range, is another batch, not a broken one.
        expect(at === 3 || (at >= 8 && at < 26)).toBe(true);
        expect(read.stepId).toBeGreaterThan(0);
      }),
      fcParameters(300),
    );
  });

  it('never reads outside itself, whatever is broken: it refuses, or reads numbers that it holds', () => {
    fc.assert(
      fc.property(
        batches,
        fc.array(fc.record({ at: fc.nat(), word: fc.oneof(fc.integer(), fc.integer({ min: -2, max: 200 })) }), {
          minLength: 1,
          maxLength: 4,
        }),
        ({ batch }, damage) => {
          const words = batch.words.slice();
          for (const { at, word } of damage) words[at % words.length] = word;
          try {
            const records = readStep({ words, numWords: batch.numWords });
            const lengths = [
              ...records.slotOps.map(({ history }) => history.length),
              ...records.rows.map(({ drafts }) => drafts.length),
            ];
            expect(lengths.every((length) => length <= words.length)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidStepError);
          }
        },
      ),
      fcParameters(500),
    );
  });

  it('refuses a truncated arena', () => {
    fc.assert(
      fc.property(batches, fc.nat(), ({ batch }, cut) => {
        const numWords = cut % batch.numWords;
        expect(() => readStep({ words: batch.words.subarray(0, numWords), numWords })).toThrow(InvalidStepError);
        expect(() => readStep({ words: batch.words, numWords })).toThrow(InvalidStepError);
      }),
      fcParameters(100),
    );
  });
});
