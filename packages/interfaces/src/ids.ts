declare const brand: unique symbol;

/** A `Base` that only its maker can name: plain numbers and other ids are not assignable to it. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Index of a physical KV block in its pool, `0 <= id < numBlocks`. Block 0 is {@link NULL_BLOCK}. */
export type BlockId = Brand<number, 'BlockId'>;

/** Name of a sequence inside one engine; positive, never reused while the engine lives. */
export type SequenceId = Brand<number, 'SequenceId'>;

/** Index of a native slot of a session, `0 <= id < maxSlots`; reused after a release. */
export type SlotId = Brand<number, 'SlotId'>;

/** Index into `values` of the {@link Program}. */
export type ValueId = Brand<number, 'ValueId'>;

/** Index into `weights` of the {@link Program}. */
export type WeightId = Brand<number, 'WeightId'>;

/** The block that is never handed out: stands where a table entry holds nothing (behind a window, not yet reserved). */
export const NULL_BLOCK = 0 as BlockId;
