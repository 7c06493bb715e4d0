import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EncodeBatch } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BatchGate, startEmbedder, vectorOf } from '../support/embedders.js';

const RUNS = 200;
const MAX_TOKENS = 8;
const reached: Record<string, number> = {};
const reach = (what: string) => {
  reached[what] = (reached[what] ?? 0) + 1;
};

type Action =
  | { readonly kind: 'submit'; readonly lengths: readonly number[] }
  | { readonly kind: 'abort'; readonly back: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'fail' }
  | { readonly kind: 'turn' }
  | { readonly kind: 'close'; readonly drains: boolean };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      lengths: fc.array(fc.integer({ min: 3, max: MAX_TOKENS }), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), back: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'release' as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'fail' as const }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'turn' as const }) },
);

/** Some actions, often a close, and some more. */
const story: fc.Arbitrary<readonly Action[]> = fc
  .tuple(
    fc.array(action, { minLength: 1, maxLength: 40, size: 'max' }),
    fc.option(fc.record({ kind: fc.constant('close' as const), drains: fc.boolean() })),
    fc.array(action, { maxLength: 8, size: 'max' }),
  )
  .map(([before, close, after]) => (close === null ? before : [...before, close, ...after]));

/** Input `index` of a call: ids that no other input has. */
function inputOf(call: number, index: number, length: number): readonly number[] {
  return [call % 16, call >> 4, index, ...new Array<number>(length - 3).fill(0)];
}

/** Calls that have a sequence in a batch. */
function callsIn({ tokenIds, lengths }: EncodeBatch): readonly number[] {
  const calls: number[] = [];
  let at = 0;
  for (const length of lengths) {
    calls.push(tokenIds[at]! + 16 * tokenIds[at + 1]!);
    at += length;
  }
  return calls;
}

interface Submitted {
  readonly inputs: readonly (readonly number[])[];
  readonly controller: AbortController;
  outcome: unknown;
  wasAborted: boolean;
}

describe('whatever the interleaving of submit, abort, failure and close', () => {
  afterAll(() => {
    const each = { vectors: 0.8, aborted: 0.3, failed: 0.3, closed: 0.5, refused: 0.4, shared: 0.15, split: 0.4 };
    expectReached(reached, each, RUNS);
  });

  it('each call gets exactly its vectors, or its own reason for having none', async () => {
    await fc.assert(
      fc.asyncProperty(
        story,
        fc.record({
          maxTokensPerBatch: fc.integer({ min: MAX_TOKENS, max: 24 }),
          maxSequencesPerBatch: fc.integer({ min: 1, max: 4 }),
        }),
        async (actions, limits) => {
          const gate = new BatchGate();
          const failed = new Set<number>();
          const batchesOf = new Map<number, number>();
          const order: number[] = [];
          const control = {
            ...gate.control,
            onBatch: (batch: EncodeBatch) => {
              const calls = callsIn(batch);
              order.push(...calls);
              expect(calls.length).toBeLessThanOrEqual(limits.maxSequencesPerBatch);
              expect(batch.tokenIds.length).toBeLessThanOrEqual(limits.maxTokensPerBatch);
              for (const call of new Set(calls)) batchesOf.set(call, (batchesOf.get(call) ?? 0) + 1);
              if (new Set(calls).size > 1) reach('shared');
              if (gate.shouldFail) for (const call of calls) failed.add(call);
            },
          };
          const embedder = await startEmbedder({ ...limits, maxModelLen: MAX_TOKENS, maxQueuedInputs: 12, control });
          const submitted: Submitted[] = [];
          const running: Promise<void>[] = [];
          let closing: Promise<void> | undefined;
          let isCut = false;
          for (const step of actions) {
            if (step.kind === 'submit') {
              const call = submitted.length;
              const inputs = step.lengths.map((length, index) => inputOf(call, index, length));
              const entry: Submitted = {
                inputs,
                controller: new AbortController(),
                outcome: undefined,
                wasAborted: false,
              };
              submitted.push(entry);
              running.push(
                embedder.embed(inputs, { signal: entry.controller.signal }).then(
                  ({ vectors }) => {
                    entry.outcome = vectors;
                  },
                  (error: unknown) => {
                    entry.outcome = error;
                  },
                ),
              );
            } else if (step.kind === 'abort') {
              const entry = submitted.at(-1 - step.back);
              if (entry !== undefined && entry.outcome === undefined) {
                entry.wasAborted = true;
                entry.controller.abort(new Error('aborted'));
              }
            } else if (step.kind === 'release' || step.kind === 'fail') {
              gate.shouldFail = step.kind === 'fail';
              gate.release();
              gate.shouldFail = false;
            } else if (step.kind === 'turn') {
              await nextTurn();
            } else {
              isCut ||= closing === undefined && !step.drains;
              closing ??= embedder.close(step.drains ? {} : { drainTimeoutMs: 0 });
            }
            embedder.checkIntegrity();
          }
          gate.open();
          await Promise.all(running);
          await (closing ?? embedder.close());
          embedder.checkIntegrity();
          expect([...order]).toEqual(order.toSorted((a, b) => a - b));

          for (const [call, { inputs, outcome, wasAborted }] of submitted.entries()) {
            if (Array.isArray(outcome)) {
              expect(outcome).toEqual(inputs.map((ids) => vectorOf(ids)));
              expect(failed.has(call)).toBe(false);
              reach('vectors');
              if ((batchesOf.get(call) ?? 0) > 1) reach('split');
              continue;
            }
            const { code, message } = outcome as { code?: string; message: string };
            if (message === 'aborted') expect(wasAborted).toBe(true);
            else if (code === 'ERR_BATCH_FAILED') expect(failed.has(call)).toBe(true);
            else if (code === 'ERR_ENGINE_CLOSED') expect(closing).toBeDefined();
            else expect(code).toBe('ERR_QUEUE_FULL');
            if (code === 'ERR_ENGINE_CLOSED' && batchesOf.has(call)) expect(isCut).toBe(true);
            reach(
              { ERR_BATCH_FAILED: 'failed', ERR_ENGINE_CLOSED: 'closed', ERR_QUEUE_FULL: 'refused' }[code ?? ''] ??
                'aborted',
            );
          }
          const { numInputs, numRunning, numWaiting, finished } = embedder.stats();
          expect([numRunning, numWaiting]).toEqual([0, 0]);
          expect(finished.stop + finished.abort + finished.error).toBe(numInputs);
        },
      ),
      fcParameters(RUNS),
    );
  });
});
