import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionOptions } from '@kvasir/interfaces';
import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from './support/driver.js';
import { plainSequence } from './support/sequences.js';
import { openTiny, PLAIN_SPEC, type TinySession } from './support/tiny-session.js';

const NUM_BLOCKS = 6;
const NUM_HOST_BLOCKS = 5;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvasir-host-tier-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const block = fc.integer({ min: 1, max: NUM_BLOCKS - 1 });
const hostBlock = fc.integer({ min: 1, max: NUM_HOST_BLOCKS - 1 });
const transfer = fc.oneof(
  fc.record({ op: fc.constant('copy' as const), src: block, dst: block }),
  fc.record({ op: fc.constant('store' as const), src: block, dst: hostBlock }),
  fc.record({ op: fc.constant('load' as const), src: hostBlock, dst: block }),
);

const BACKENDS = ['native', 'native, in a file', 'reference'] as const;
let numFiles = 0;

function openWith(backend: (typeof BACKENDS)[number], options: Partial<SessionOptions>): Promise<TinySession> {
  const path = backend === 'native, in a file' ? { path: join(folder, `tier-${numFiles++}`) } : {};
  return openTiny(PLAIN_SPEC, {
    options: { hostTier: { numBlocks: NUM_HOST_BLOCKS, ...path }, ...options },
    ...(backend === 'reference' ? { backend } : {}),
  });
}

describe.each(BACKENDS)('the host tier: %s', (backend) => {
  it('holds what any transfers in any steps say, as arrays of blocks would', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(transfer, { maxLength: 8 }), { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        async (steps, noise) => {
          await using tiny = await openWith(backend, { numBlocks: NUM_BLOCKS });
          const { session } = tiny;
          const size = (await session.readBlock(0, 1)).length;
          const empty = () => new Uint8Array(size);
          const pool = Array.from({ length: NUM_BLOCKS }, empty);
          const host = Array.from({ length: NUM_HOST_BLOCKS }, empty);
          for (let id = 1; id < NUM_BLOCKS; id++) {
            pool[id] = empty().fill(noise.next().value);
            await session.writeBlock(0, id, pool[id]!);
          }
          for (const [index, transfers] of steps.entries()) {
            const step = new StepBuilder(index + 1);
            for (const { op, src, dst } of transfers) {
              step.transfer(op, 0, src, dst);
              (op === 'store' ? host : pool)[dst] = (op === 'load' ? host : pool)[src]!;
            }
            await session.step(step.build());
          }
          for (let id = 1; id < NUM_BLOCKS; id++) expect(await session.readBlock(0, id)).toEqual(pool[id]);
        },
      ),
      fcParameters(30),
    );
  }, 60_000);

  it('brings a sequence back: stored, overwritten, loaded elsewhere, it says the same tokens', async () => {
    const prompt = Array.from({ length: 40 }, (_, i) => 2 + ((7 * i) % 40));
    const plan = plainSequence({ prompt, numTokens: 8, temperature: 0.8, seed: 5n });
    await using quiet = await openWith(backend, {});
    const [expected] = await runTogether(quiet, [plan]);

    await using tiny = await openWith(backend, { hostTier: { numBlocks: 9 } });
    const { session, options } = tiny;
    const numGroups = options.programs[0]!.kvGroups.length;
    const init = (step: StepBuilder, numComputed: number, firstBlock: number) => {
      step.init({ ...plan, slot: 0, history: prompt, numComputed, maxLength: options.maxModelLen, ignoreEos: true });
      for (let group = 0; group < numGroups; group++) {
        const blocks = [0, 1, 2, 3].map((i) => firstBlock + 4 * group + i);
        step.table(0, group, 0, blocks);
      }
      return step;
    };
    await session.step(init(new StepBuilder(1), 0, 1).row(0, 32).build());
    const before: Uint8Array[] = [];
    const away = new StepBuilder(2);
    for (let group = 0; group < numGroups; group++) {
      for (const i of [0, 1]) {
        before.push(await session.readBlock(group, 1 + 4 * group + i));
        away.transfer('store', group, 1 + 4 * group + i, 1 + 2 * group + i);
      }
    }
    await session.step(away.release(0).build());
    for (let id = 1; id < 1 + 4 * numGroups; id++)
      await session.writeBlock(
        0,
        id,
        before[0]!.map(() => 0x5a),
      );

    const back = new StepBuilder(3);
    for (let group = 0; group < numGroups; group++) {
      for (const i of [0, 1]) back.transfer('load', group, 1 + 2 * group + i, 51 + 4 * group + i);
    }
    // The load and the row that reads it share a step.
    const first = await session.step(init(back, 32, 51).row(0, 8).output(7).build());
    const tokens = [first.outputs[0]!];
    const after: Uint8Array[] = [];
    for (let group = 0; group < numGroups; group++) {
      for (const i of [0, 1]) after.push(await session.readBlock(group, 51 + 4 * group + i));
    }
    expect(after).toEqual(before);
    for (let stepId = 4; tokens.length < plan.numTokens; stepId++) {
      const result = await session.step(new StepBuilder(stepId).row(0, 1).output(0).build());
      tokens.push(result.outputs[0]!);
    }
    expect(tokens).toEqual(expected!.tokens);
  }, 60_000);

  it('refuses blocks that are not there, and moves nothing of such a step', async () => {
    await using tiny = await openWith(backend, { numBlocks: NUM_BLOCKS });
    const { session } = tiny;
    await session.writeBlock(0, 1, (await session.readBlock(0, 1)).fill(7));
    const wrong = [
      ['store', 1, 0],
      ['store', 1, NUM_HOST_BLOCKS],
      ['store', NUM_BLOCKS, 1],
      ['load', 0, 1],
      ['load', NUM_HOST_BLOCKS, 1],
      ['load', 1, NUM_BLOCKS],
      ['load', 1, -1],
    ] as const;
    for (const [op, src, dst] of wrong) {
      const step = new StepBuilder(1).transfer('copy', 0, 1, 2).transfer('store', 0, 1, 1).transfer(op, 0, src, dst);
      await expect(session.step(step.build())).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
    }
    await session.step(new StepBuilder(2).transfer('load', 0, 1, 3).build());
    expect(new Set(await session.readBlock(0, 2))).toEqual(new Set([0]));
    expect(new Set(await session.readBlock(0, 3))).toEqual(new Set([0]));
  });

  it('is planned, and absent unless asked for', async () => {
    await using tiny = await openWith(backend, {});
    const { hostTierBytes, kvGroups } = tiny.session.info.plan;
    expect(hostTierBytes).toBe(NUM_HOST_BLOCKS * kvGroups[0]!.bytesPerBlock);
    await using without = await openTiny(PLAIN_SPEC, backend === 'reference' ? { backend } : {});
    expect(without.session.info.plan.hostTierBytes).toBe(0);
    const step = new StepBuilder(1).transfer('store', 0, 1, 1);
    await expect(without.session.step(step.build())).rejects.toMatchObject({
      code: 'ERR_INVALID_STEP',
      message: expect.stringContaining('no host tier'),
    });
  });
});

describe('the file of a host tier', () => {
  const open = (path: string, numBlocks = NUM_HOST_BLOCKS) =>
    openTiny(PLAIN_SPEC, { options: { hostTier: { numBlocks, path } } });

  it('is gone from its folder while it is used', async () => {
    const path = join(folder, 'unseen');
    await using tiny = await open(path);
    expect(tiny.session.info.plan.hostTierBytes).toBeGreaterThan(0);
    expect(existsSync(path)).toBe(false);
  });

  it('is never one that exists, which stays as it was', async () => {
    const path = join(folder, 'taken');
    writeFileSync(path, 'mine');
    await expect(open(path)).rejects.toMatchObject({
      code: 'ERR_HOST_TIER',
      message: expect.stringContaining('name one that does not exist'),
    });
    expect(existsSync(path)).toBe(true);
  });

  it('must fit: its room is reserved when the session opens, and nothing stays behind', async () => {
    const before = readdirSync(folder);
    await expect(open(join(folder, 'huge'), 2 ** 31 - 1)).rejects.toMatchObject({
      code: 'ERR_HOST_TIER',
      message: expect.stringMatching(/cannot reserve \d+ bytes .*lower hostTier\.numBlocks/),
    });
    expect(readdirSync(folder)).toEqual(before);
    await expect(open(join(folder, 'no', 'such', 'folder'))).rejects.toMatchObject({ code: 'ERR_HOST_TIER' });
  });

  it.each([
    [{ numBlocks: 1 }, /hostTier\.numBlocks is 1/],
    [{ numBlocks: 4, path: '' }, /hostTier\.path is ''/],
    [{ numBlocks: 4, file: 'x' }, /'hostTier\.file' does not exist/],
  ])('options are checked: %j', async (hostTier, message) => {
    await expect(openTiny(PLAIN_SPEC, { options: { hostTier } })).rejects.toThrow(message);
  });
});
