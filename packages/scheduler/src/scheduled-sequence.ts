import {
  InvalidArgumentError,
  type OpenOptions,
  type PreparedPrompt,
  type SequenceId,
  type SequenceSpec,
  type SlotId,
} from '@kvasir/interfaces';
import type { CandidateView } from './policies/policy.js';
import type { PrefillDemand } from './prefill-shares.js';
import type { Tenant } from './tenants.js';
import type { TokenBuffers } from './token-buffers.js';

/** Where a sequence is. A parked one has ended and keeps its blocks; an ended one stays until the last step that holds it is committed. */
export type SequenceStatus = 'waiting' | 'running' | 'parked' | 'ended';

export const NO_SLOT = -1 as SlotId;
export const NO_DRAFTS: readonly number[] = Object.freeze([]);

/** What a sequence gets from the scheduler. */
export interface SequenceContext {
  readonly arrival: number;
  readonly tenant: Tenant;
  /** Its prompt, hashed. */
  readonly prepared: PreparedPrompt;
}

/**
 * What the scheduler keeps of one sequence.
 *
 * ```
 * tokens  [0, numComputed)        committed to the KV cache
 *         [numComputed, numPlanned)   in rows of uncommitted plans
 *         [0, length)             known
 *         [length, length + numPlaceholders)   samples in flight: only the backend knows them yet
 * ```
 */
export class ScheduledSequence implements CandidateView, PrefillDemand {
  readonly id: SequenceId;
  readonly spec: SequenceSpec;
  readonly arrival: number;
  readonly priority: number;
  readonly tenant: Tenant;
  readonly openOptions: OpenOptions;
  status: SequenceStatus = 'waiting';
  slot: SlotId = NO_SLOT;
  /** Known tokens in `[0, length)`; the rest is room to grow. */
  tokens: Int32Array;
  length: number;
  numPlaceholders = 0;
  numComputed = 0;
  numPlanned = 0;
  /** Rows in uncommitted plans. */
  numInFlight = 0;
  /** With the next row its slot is started, of which `numCached` tokens need no computing. */
  needsStart = false;
  numCached = 0;
  wasPreempted = false;
  /** Turn of the planner in which it was preempted last. */
  preemptedIn = 0;
  /** Turn in which it was left out, to be preempted in the next. */
  heldIn = 0;
  /** Preemptions in a row before which it had sampled nothing. */
  numFruitless = 0;
  lengthAtAdmission = 0;
  /** Tokens that its tenant was charged for. */
  numServed = 0;
  /** Of a prompt: its tokens in the next row. */
  share = 0;
  /** Whether its blocks stay when it ends. */
  parks: boolean;
  /** Whose blocks it is to share, until it is admitted. */
  parent: ScheduledSequence | null = null;
  /** Who is to share its blocks and was not admitted yet. */
  forks: Set<ScheduledSequence> | null = null;
  hasDraftsInFlight = false;
  isQueued = false;
  /** Scan of the waiting queue in which it came up, and in which `numUncached` was counted. */
  scannedIn = 0;
  countedIn = 0;
  numUncached = 0;
  numBypassed = 0;
  /** Room that was not enough for it; less is not tried. */
  refusedRoom = -1;
  #drafts = NO_DRAFTS;
  #draftsAt = 0;

  constructor(spec: SequenceSpec, { arrival, tenant, prepared }: SequenceContext) {
    this.id = spec.id;
    this.spec = spec;
    this.arrival = arrival;
    this.priority = spec.priority ?? 0;
    this.tenant = tenant;
    this.openOptions = {
      skipPrefixRead: spec.promptLogprobs,
      prepared,
      tenant: tenant.name,
      ...(spec.salt === undefined ? {} : { salt: spec.salt }),
      ...(spec.extraKey === undefined ? {} : { extraKey: spec.extraKey }),
    };
    this.parks = spec.parks ?? false;
    this.length = spec.promptTokenIds.length;
    this.tokens = spec.promptTokenIds;
  }

  /** Tokens, placeholders included, that no plan holds yet. */
  get numUnplanned(): number {
    return this.length + this.numPlaceholders - this.numPlanned;
  }

  get numLeft(): number {
    return this.numUnplanned;
  }

  get tenantService(): number {
    return this.tenant.service;
  }

  /** Twice in a row it was thrown out with nothing gained: it stays until it has sampled. */
  get isProtected(): boolean {
    return this.numFruitless >= 2 && this.length === this.lengthAtAdmission;
  }

  /** Whether a client is waiting for its next token. */
  get isDecoding(): boolean {
    return this.length + this.numPlaceholders > this.spec.promptTokenIds.length;
  }

  /** Whether a row of it may be planned now. */
  get isPlannable(): boolean {
    if (this.numPlaceholders === 0) return true;
    if (this.spec.needsSync || this.hasDraftsInFlight) return false;
    // The sample in flight certainly ends it.
    return this.length + this.numPlaceholders < this.spec.maxLength;
  }

  offerDrafts(tokenIds: readonly number[]): void {
    this.#drafts = tokenIds.slice();
    this.#draftsAt = this.length;
  }

  /** Takes the offered drafts, at most `max`; those offered for another position are dropped. */
  takeDrafts(max: number): readonly number[] {
    const drafts = this.#drafts;
    if (drafts.length === 0) return NO_DRAFTS;
    this.#drafts = NO_DRAFTS;
    if (this.#draftsAt !== this.length || this.numPlaceholders > 0 || max <= 0) return NO_DRAFTS;
    return drafts.length > max ? drafts.slice(0, max) : drafts;
  }

  append(tokenIds: ArrayLike<number>, buffers: TokenBuffers): void {
    const { length } = this;
    if (length + tokenIds.length > this.tokens.length) this.#grow(length + tokenIds.length, buffers);
    for (let i = 0; i < tokenIds.length; i++) this.tokens[length + i] = tokenIds[i]!;
    this.length = length + tokenIds.length;
  }

  /** Back to where nothing is computed; tokens stay. */
  rewind(): void {
    this.numComputed = 0;
    this.numPlanned = 0;
    this.#drafts = NO_DRAFTS;
    this.slot = NO_SLOT;
    this.needsStart = false;
  }

  /** Output rows that the `numQuery` tokens from `start` on yield: one where the next prompt token is scored, one where a token is sampled. */
  numOutputs(start: number, numQuery: number): number {
    const end = start + numQuery;
    const samples = end >= this.length + this.numPlaceholders ? 1 : 0;
    if (!this.spec.promptLogprobs) return samples;
    return Math.max(0, Math.min(end, this.spec.promptTokenIds.length - 1) - start) + samples;
  }

  /** The prompt's own array is the caller's; what it grows into is not. */
  #grow(needed: number, buffers: TokenBuffers): void {
    const grown = buffers.take(needed);
    grown.set(this.tokens.subarray(0, this.length));
    this.giveBack(buffers);
    this.tokens = grown;
  }

  /** It is gone: its tokens are read no more. */
  giveBack(buffers: TokenBuffers): void {
    if (this.tokens !== this.spec.promptTokenIds) buffers.giveBack(this.tokens);
  }
}

/** @throws `InvalidArgumentError` for a spec that means nothing. */
export function checkSpec({ id, promptTokenIds, maxLength, forkOf, priority }: SequenceSpec): void {
  if (priority !== undefined && !Number.isFinite(priority))
    throw new InvalidArgumentError('priority', `priority of sequence ${id} is ${priority}: expected a finite number`);
  if (!Number.isSafeInteger(id) || id < 1)
    throw new InvalidArgumentError('id', `id is ${id}: expected a positive integer`);
  if (forkOf === id) throw new InvalidArgumentError('forkOf', `sequence ${id} is a fork of itself: expected another`);
  if (promptTokenIds.length === 0) {
    throw new InvalidArgumentError('promptTokenIds', `sequence ${id} has an empty prompt: expected at least one token`);
  }
  if (!Number.isSafeInteger(maxLength) || maxLength <= promptTokenIds.length) {
    throw new InvalidArgumentError(
      'maxLength',
      `maxLength of sequence ${id} is ${maxLength}, its prompt has ${promptTokenIds.length} tokens: expected room for at least one more`,
    );
  }
}
