import { KvasirError, NULL_BLOCK } from '@kvasir/interfaces';
import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZES, type ContractSession, KINDS, openSession, readResult, runsOf } from './support/sessions.js';

const FIRST_SPARE = 20;
const NUM_BLOCKS = 5;

/** A block that moves, perhaps through another one. */
interface Move {
  readonly group: number;
  readonly src: number;
  readonly via: number | undefined;
  readonly dst: number;
}

/** Four blocks and one token. */
function historyOf({ options }: ContractSession): number[] {
  return Array.from({ length: 4 * options.blockSize + 1 }, (_, i) => 2 + (i % 6));
}

/** Prefills {@link historyOf} into the first blocks of both groups and returns the first sample. */
async function prefill(opened: ContractSession): Promise<number> {
  const { session } = opened;
  const history = historyOf(opened);
  const step = new StepBuilder(1).init({ slot: 0, history, maxLength: history.length + 9, ignoreEos: true });
  for (const group of [0, 1]) step.table(0, group, 0, tableOf(group));
  return readResult(await session.step(step.sampleRow(0, history.length).build())).outputs[0]!.tokenId;
}

function tableOf(group: number): number[] {
  return Array.from({ length: NUM_BLOCKS }, (_, i) => 1 + group * NUM_BLOCKS + i);
}

function windowGroup({ options }: ContractSession): number {
  return options.programs[0]!.kvGroups.findIndex(({ window }) => window !== undefined);
}

async function decode({ session }: ContractSession, step: StepBuilder): Promise<number> {
  return readResult(await session.step(step.sampleRow(0, 1).build())).outputs[0]!.tokenId;
}

describe.each(KINDS)('transfers (%s)', (kind) => {
  it('are carried out in order, before any write, so a sequence can move to any blocks in one step', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(
          Array.from({ length: 40 }, (_, i) => FIRST_SPARE + i),
          { minLength: 20, maxLength: 20 },
        ),
        fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
        async (spare, detours) => {
          await using still = await openSession(kind);
          await using moving = await openSession(kind);
          expect(await prefill(moving)).toBe(await prefill(still));
          const moves: Move[] = [0, 1].flatMap((group) =>
            tableOf(group).map((src, i) => {
              const index = group * NUM_BLOCKS + i;
              return { group, src, dst: spare[index]!, via: detours[index] === true ? spare[10 + index]! : undefined };
            }),
          );
          const step = new StepBuilder(2);
          for (const { group, src, via, dst } of moves) {
            if (via !== undefined) step.copy(group, src, via);
            step.copy(group, via ?? src, dst);
          }
          for (const group of [0, 1]) {
            step.table(
              0,
              group,
              0,
              moves.filter((move) => move.group === group).map(({ dst }) => dst),
            );
          }
          expect(await decode(moving, step)).toBe(await decode(still, new StepBuilder(2)));
        },
      ),
      fcParameters(runsOf(kind, 60)),
    );
  }, 60_000);

  it('behind a window the table may hold nothing', async () => {
    await using opened = await openSession(kind);
    await using full = await openSession(kind);
    await prefill(opened);
    await prefill(full);
    // The second token of block 4 with a window of 3 sees the last one of block 3.
    const holes = [NULL_BLOCK, NULL_BLOCK, NULL_BLOCK];
    const step = new StepBuilder(2).table(0, windowGroup(opened), 0, holes);
    expect(await decode(opened, step)).toBe(await decode(full, new StepBuilder(2)));
  });

  it('inside a window, or without one, a hole is refused', async () => {
    await using opened = await openSession(kind);
    await prefill(opened);
    const inside = new StepBuilder(2).table(0, windowGroup(opened), 3, [NULL_BLOCK]);
    await expect(decode(opened, inside)).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
    const full = new StepBuilder(3).table(0, 1 - windowGroup(opened), 0, [NULL_BLOCK]);
    await expect(decode(opened, full)).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
  });

  it('moves blocks between sessions of equal numerics, byte by byte', async () => {
    await using source = await openSession(kind);
    await using target = await openSession(kind);
    expect(source.session.info.numericsId).toBe(target.session.info.numericsId);
    const first = await prefill(source);
    for (const group of [0, 1]) {
      for (const block of tableOf(group)) {
        const bytes = await source.session.readBlock(group, block);
        await target.session.writeBlock(group, block, bytes);
        expect(await target.session.readBlock(group, block)).toEqual(bytes);
      }
    }
    const history = [...historyOf(source), first];
    const numComputed = history.length - 1;
    const maxLength = history.length + 8;
    const step = new StepBuilder(1).init({ slot: 0, history, numComputed, maxLength, ignoreEos: true });
    for (const group of [0, 1]) step.table(0, group, 0, tableOf(group));
    expect(await decode(target, step)).toBe(await decode(source, new StepBuilder(2)));
  });

  it('refuses a host tier that it does not have', async () => {
    await using opened = await openSession(kind);
    const batch = new StepBuilder(1).copy(0, 1, 2).build();
    const transfers = batch.words[8 + 2 * 6]!;
    batch.words[transfers] = 1;
    await expect(opened.session.step(batch)).rejects.toMatchObject({
      code: 'ERR_INVALID_STEP',
      message: expect.stringMatching(/op is 1.*tier/),
    });
  });
});

describe('the fake backend notices', () => {
  it.each<[string, (step: StepBuilder) => StepBuilder]>([
    ['a missing copy', (step) => step.table(0, 0, 2, [FIRST_SPARE])],
    ['a copy of the wrong block', (step) => step.copy(0, 1, FIRST_SPARE).table(0, 0, 2, [FIRST_SPARE])],
    ['a block of another group', (step) => step.table(0, 0, 2, [tableOf(1)[2]!])],
    ['a write by another sequence', (step) => intrude(step)],
  ])('%s', async (_, breakIt) => {
    await using opened = await openSession('fake');
    await prefill(opened);
    const failed = await decode(opened, breakIt(new StepBuilder(2))).catch((error: unknown) => error);
    expect(KvasirError.isInstance(failed, 'ERR_INVARIANT'), String(failed)).toBe(true);
  });
});

/** Another slot prefills into a block that slot 0 still reads. */
function intrude(step: StepBuilder): StepBuilder {
  step.init({ slot: 1, history: Array.from({ length: BLOCK_SIZES.fake }, () => 5), maxLength: 9 });
  return step
    .table(1, 0, 0, [tableOf(0)[1]!])
    .table(1, 1, 0, [FIRST_SPARE])
    .row(1, BLOCK_SIZES.fake);
}
