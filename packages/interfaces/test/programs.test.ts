import { StepBuilder } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { openSession, readResult, withTables } from './support/sessions.js';

describe('several Programs in one session', () => {
  it('share slots and pool: a target and a draft model run in the same step, each by its own groups', async () => {
    await using opened = await openSession('fake');
    const [target, draft] = opened.options.programs;
    expect([target?.kvGroups.length, draft?.kvGroups.length]).toEqual([2, 1]);
    const step = new StepBuilder(1);
    withTables(step.init({ slot: 0, history: [2, 3], maxLength: 9, ignoreEos: true }), 0, 2);
    withTables(step.init({ slot: 1, program: 1, history: [2, 3], maxLength: 9, ignoreEos: true }), 1, 1);
    step.sampleRow(0, 2).sampleRow(1, 2);
    const { outputs, rows } = readResult(await opened.session.step(step.build()));
    expect(outputs.map(({ tokenId }) => tokenId >= 0)).toEqual([true, true]);
    expect(rows.map(({ numComputed }) => numComputed)).toEqual([2, 2]);
  });

  it('verifies what a draft Program proposes, in the step after', async () => {
    await using opened = await openSession('fake');
    const first = new StepBuilder(1);
    withTables(first.init({ slot: 0, history: [2, 3], maxLength: 9, ignoreEos: true }), 0, 2);
    withTables(first.init({ slot: 1, program: 1, history: [2, 3], maxLength: 9, ignoreEos: true }), 1, 1);
    const known = readResult(await opened.session.step(first.sampleRow(0, 2).sampleRow(1, 2).build())).outputs;
    const next = readResult(await opened.session.step(new StepBuilder(2).sampleRow(1, 1).build())).outputs[0]!.tokenId;
    const verify = new StepBuilder(3).sampleRow(0, 1, [next]);
    const { outputs, rows } = readResult(await opened.session.step(verify.build()));
    // Both programs are the same model here, so the draft is right.
    expect(known[0]?.tokenId).toBe(known[1]?.tokenId);
    expect(outputs[0]?.tokenId).toBe(next);
    expect(rows[0]?.numAccepted).toBe(1);
  });

  it('refuses a program that it does not have, and a group that the program does not have', async () => {
    await using opened = await openSession('fake');
    const step = new StepBuilder(1).init({ slot: 0, program: 2, history: [1], maxLength: 9 });
    await expect(opened.session.step(step.build())).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
    const other = withTables(new StepBuilder(2).init({ slot: 0, program: 1, history: [1], maxLength: 9 }), 0, 2);
    await expect(opened.session.step(other.build())).rejects.toThrow(/no such KV group/);
  });
});
