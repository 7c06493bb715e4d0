import type { Session, SessionOptions } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { StepBuilder } from '@kvasir/testing';
import { createTableModel } from './table-model.js';
import { TINY_OPTIONS } from './tiny-session.js';

export const VOCAB = 24;
/** Three choices of 42 requests. */
export const SLOTS = 126;
const MAX_LENGTH = 64;

/** Logits of both signs after each last token: the same ones, in other places. */
export const LOGITS: readonly (readonly number[])[] = Array.from({ length: VOCAB }, (_, last) =>
  Array.from({ length: VOCAB }, (_unused, id) =>
    Math.fround(0.4 + 1.6 * Math.sin(5 + 2.3 * ((id + 5 * last) % VOCAB))),
  ),
);

/** The token after which {@link RANKED} holds. */
export const LAST = 3;

/** Token ids after {@link LAST}, the likeliest first. */
export const RANKED: readonly number[] = LOGITS[LAST]!.map((_, id) => id).sort(
  (a, b) => LOGITS[LAST]![b]! - LOGITS[LAST]![a]!,
);

/** Rank of `id` after `last`. */
export function rankAfter(last: number, id: number): number {
  return RANKED.indexOf((id + 5 * (last - LAST + VOCAB)) % VOCAB);
}

/** Sound draws look odder than this for one set of seeds in 10^8: all such checks of a run together fail by chance once in some 10^6. */
export const TOO_ODD = 1e-8;

/** A native session over {@link LOGITS}. */
export interface TableSession extends AsyncDisposable {
  readonly session: Session;
  readonly options: SessionOptions;
  nextStepId(): number;
  /** Ends all {@link SLOTS} slots, which must have been started. */
  releaseAll(): Promise<void>;
}

export async function openTable(eosTokenId: number): Promise<TableSession> {
  const model = createTableModel(LOGITS, MAX_LENGTH);
  const options: SessionOptions = {
    ...TINY_OPTIONS,
    programs: [model.program],
    mode: 'float32',
    maxModelLen: MAX_LENGTH,
    maxSlots: SLOTS,
    maxOutputsPerStep: SLOTS,
    eosTokenIds: [eosTokenId],
  };
  const session = await createCpuBackend().openSession(options);
  let stepId = 0;
  const nextStepId = () => ++stepId;
  return {
    session,
    options,
    nextStepId,
    releaseAll: async () => {
      const step = new StepBuilder(nextStepId());
      for (let slot = 0; slot < SLOTS; slot++) step.release(slot);
      await session.step(step.build());
    },
    [Symbol.asyncDispose]: async () => {
      await session.close();
      model[Symbol.dispose]();
    },
  };
}
