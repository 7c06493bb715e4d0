import type { KvCacheManager, RowOutcome, Scheduler, SequenceId, SequenceSpec, StepPlan } from '@kvasir/interfaces';
import { expect } from 'vitest';
import { createScheduler, type SchedulerOptions } from '../../src/index.js';
import { FakeSession } from './fake-session.js';
import { completeAlone } from './pseudo-model.js';

export interface AddOptions {
  readonly salt?: string;
  readonly promptLogprobs?: boolean;
  readonly needsSync?: boolean;
  readonly forkOf?: SequenceId;
  readonly parks?: boolean;
  readonly tenant?: string;
  readonly priority?: number;
}

/** An engine in small: adds, submits, commits, and checks every plan against what anyone can see from outside. */
export class Harness {
  readonly scheduler: Scheduler;
  readonly session: FakeSession;
  readonly options: SchedulerOptions;
  readonly specs = new Map<SequenceId, SequenceSpec>();
  readonly histories = new Map<SequenceId, number[]>();
  readonly finished = new Set<SequenceId>();
  readonly dropped = new Set<SequenceId>();
  /** Ended, and not unparked since; the scheduler may have given them up for room. */
  readonly parked = new Set<SequenceId>();
  /** Steps until each got its first row, and until it ended. */
  readonly startedIn = new Map<SequenceId, number>();
  readonly endedIn = new Map<SequenceId, number>();
  /** Preemptions in a row between which nothing was sampled, as anyone can count them. */
  readonly fruitless = new Map<SequenceId, number>();
  readonly #lengthAtStart = new Map<SequenceId, number>();
  readonly running = new Set<SequenceId>();
  readonly inFlight: { plan: StepPlan; outcomes: RowOutcome[]; sequences: SequenceId[] }[] = [];
  readonly seen = {
    plans: 0,
    preempted: 0,
    ahead: 0,
    noops: 0,
    cached: 0,
    accepted: 0,
    rejected: 0,
    shared: 0,
    forked: 0,
    fruitless: 0,
  };
  readonly #unparked = new Set<SequenceId>();
  #nextId = 1;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.scheduler = createScheduler(options);
    this.session = new FakeSession(options.kvCache, this.specs, this.histories);
  }

  get kvCache(): KvCacheManager {
    return this.options.kvCache;
  }

  add(prompt: readonly number[], numOutput: number, options: AddOptions = {}): SequenceId {
    const id = this.#nextId as SequenceId;
    const spec: SequenceSpec = {
      id,
      promptTokenIds: Int32Array.from(prompt),
      maxLength: prompt.length + numOutput,
      promptLogprobs: options.promptLogprobs ?? false,
      needsSync: options.needsSync ?? false,
      ...(options.salt === undefined ? {} : { salt: options.salt }),
      ...(options.forkOf === undefined ? {} : { forkOf: options.forkOf }),
      ...(options.parks === undefined ? {} : { parks: options.parks }),
      ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
    };
    this.scheduler.add(spec);
    this.#nextId++;
    this.specs.set(id, spec);
    this.histories.set(id, [...prompt]);
    return id;
  }

  abort(id: SequenceId): void {
    const isHere = !this.finished.has(id) && !this.dropped.has(id);
    const isAborted = this.scheduler.abort(id);
    if (!this.parked.delete(id)) expect(isAborted).toBe(isHere);
    if (isHere) this.dropped.add(id);
    this.running.delete(id);
  }

  unpark(id: SequenceId): void {
    const isHere = !this.finished.has(id) && !this.dropped.has(id);
    const isUnparked = this.scheduler.unpark(id);
    if (isHere) expect(isUnparked).toBe(this.specs.get(id)!.parks === true && !this.#unparked.has(id));
    else if (!this.parked.has(id)) expect(isUnparked).toBe(false);
    this.#unparked.add(id);
    this.parked.delete(id);
    this.check();
  }

  /** @returns Whether there was a step to submit. */
  step(): boolean {
    const wasIdle = this.inFlight.length === 0;
    const runningBefore = [...this.running];
    const plan = this.scheduler.schedule();
    this.check();
    if (plan === null) {
      if (wasIdle) expect(this.scheduler.numUnfinished).toBe(0);
      return false;
    }
    this.#checkPlan(plan, wasIdle, runningBefore);
    const outcomes = this.session.submit(plan);
    const ahead = this.inFlight[0];
    if (ahead !== undefined && plan.rows.some((row) => ahead.sequences.includes(row.sequence))) this.seen.ahead++;
    this.inFlight.push({ plan, outcomes, sequences: plan.rows.map((row) => row.sequence) });
    return true;
  }

  commit(): void {
    const step = this.inFlight.shift();
    if (step === undefined) return;
    step.sequences.forEach((id, i) => {
      const { tokenIds, ended, numAccepted } = step.outcomes[i]!;
      if (this.dropped.has(id)) return;
      if (this.finished.has(id)) {
        this.seen.noops++;
        expect(tokenIds.length).toBe(0);
        return;
      }
      const drafts = step.plan.rows[i]!.drafts.length;
      this.seen.accepted += numAccepted;
      this.seen.rejected += drafts - numAccepted;
      this.histories.get(id)!.push(...Array.from(tokenIds));
      if (!ended) return;
      this.finished.add(id);
      this.endedIn.set(id, this.seen.plans);
      this.running.delete(id);
      if (this.specs.get(id)!.parks === true && !this.#unparked.has(id)) this.parked.add(id);
    });
    this.scheduler.commit(step.plan, step.outcomes, 1 + 0.1 * step.plan.numTokens);
    this.check();
  }

  discard(): void {
    const step = this.inFlight.shift();
    if (step === undefined) return;
    const live = step.sequences.filter((id) => !this.finished.has(id) && !this.dropped.has(id));
    expect([...this.scheduler.discard(step.plan)].sort()).toEqual([...live].sort());
    for (const id of live) {
      this.dropped.add(id);
      this.running.delete(id);
      // The step failed: whatever it sampled is not told to anyone, later rows of the slot do nothing.
      for (const slot of this.session.slots.values()) if (slot.sequence === id) slot.hasEnded = true;
    }
    this.check();
  }

  /** Runs until nothing is left, then looks for leaks. @returns Plans it took. */
  drain(): number {
    const before = this.seen.plans;
    while (this.scheduler.numUnfinished > 0 || this.inFlight.length > 0) {
      const mayGoAhead = this.inFlight.length < (this.options.maxInFlight ?? 1);
      if (!(mayGoAhead && this.step())) this.commit();
    }
    expect(this.scheduler.schedule()).toBe(null);
    expect(this.scheduler.stats().numParked).toBeLessThanOrEqual(this.parked.size);
    for (const id of this.parked) this.unpark(id);
    expect(this.kvCache.numFreeBlocks).toBe(this.kvCache.numBlocks);
    expect(this.scheduler.stats()).toMatchObject({ numWaiting: 0, numRunning: 0, numParked: 0 });
    for (const [id, spec] of this.specs) {
      expect(this.finished.has(id) || this.dropped.has(id)).toBe(true);
      const expected = completeAlone(spec.promptTokenIds, spec.maxLength);
      const history = this.histories.get(id)!;
      if (this.finished.has(id)) expect(history).toEqual(expected);
      else expect(history).toEqual(expected.slice(0, history.length));
    }
    return this.seen.plans - before;
  }

  check(): void {
    this.scheduler.checkIntegrity();
    this.kvCache.checkIntegrity();
    const numUnfinished = this.specs.size - this.finished.size - this.dropped.size;
    expect(this.scheduler.numUnfinished).toBe(numUnfinished);
  }

  #checkPlan(plan: StepPlan, wasIdle: boolean, runningBefore: readonly SequenceId[]): void {
    const { options, seen } = this;
    const rows = plan.rows;
    expect(plan.stepId).toBe(++seen.plans);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(options.maxNumSeqs);
    expect(new Set(rows.map((row) => row.sequence)).size).toBe(rows.length);
    expect(new Set(rows.map((row) => row.slot)).size).toBe(rows.length);

    let numTokens = 0;
    let numOutputs = 0;
    for (const row of rows) {
      const spec = this.specs.get(row.sequence)!;
      expect(row.slot).toBeLessThan(options.maxNumSeqs);
      expect(row.numQuery).toBeGreaterThan(0);
      expect(this.finished.has(row.sequence) || this.dropped.has(row.sequence)).toBe(false);
      if (row.starts) expect(row.start).toBe(row.numCachedTokens);
      const chunk = row.numQuery - row.drafts.length;
      expect(chunk).toBeLessThanOrEqual(options.longPrefillTokenThreshold ?? Number.POSITIVE_INFINITY);
      numTokens += row.numQuery;
      if (row.samples) numOutputs += 1 + row.drafts.length;
      else expect(row.drafts).toHaveLength(0);
      if (spec.promptLogprobs) {
        for (let p = row.start; p < row.start + row.numQuery; p++) if (p + 1 < spec.promptTokenIds.length) numOutputs++;
        expect(row.numCachedTokens).toBe(0);
      }
      if (row.starts && spec.forkOf !== undefined && row.start === spec.promptTokenIds.length - 1) seen.forked++;
      const ahead = this.inFlight[0]?.plan.rows.find((other) => other.sequence === row.sequence);
      if (ahead?.samples === true) expect(spec.needsSync).toBe(false);
      if (ahead !== undefined) expect(ahead.drafts).toHaveLength(0);
      seen.cached += row.numCachedTokens;
    }
    expect(plan.numTokens).toBe(numTokens);
    expect(plan.numOutputs).toBe(numOutputs);
    expect(numTokens).toBeLessThanOrEqual(options.maxNumBatchedTokens);
    expect(numOutputs).toBeLessThanOrEqual(options.maxNumOutputs ?? options.maxNumBatchedTokens);
    if (rows.length > 1) seen.shared++;

    seen.preempted += plan.preempted.length;
    for (const id of plan.preempted) {
      this.running.delete(id);
      const count = this.fruitless.get(id) ?? 0;
      // Never one that was preempted twice and has not sampled since.
      const hasSampled = this.histories.get(id)!.length > this.#lengthAtStart.get(id)!;
      if (!hasSampled) expect(count).toBeLessThan(2);
      this.fruitless.set(id, hasSampled ? 1 : count + 1);
      if (!hasSampled) seen.fruitless++;
    }
    const mayLack = [...this.running].some((id) => (this.fruitless.get(id) ?? 0) >= 2);
    for (const row of rows) {
      this.running.add(row.sequence);
      if (row.starts) this.#lengthAtStart.set(row.sequence, this.histories.get(row.sequence)!.length);
      if (!this.startedIn.has(row.sequence)) this.startedIn.set(row.sequence, seen.plans);
    }
    const served = [...rows.map((row) => row.sequence), ...(this.inFlight[0]?.sequences ?? [])];
    const policy = options.policy ?? 'fcfs';
    if (runningBefore.length > 0 && policy !== 'priority') {
      const first = Math.min(...runningBefore) as SequenceId;
      expect(plan.preempted).not.toContain(first);
      if (policy !== 'fair' && !mayLack) expect(served).toContain(first);
    }
    // As long as every group has a block left, nobody who decodes is left out.
    if (wasIdle && this.kvCache.numFreeBlocks >= this.kvCache.groups.length) {
      const isDecoding = (id: SequenceId) =>
        this.histories.get(id)!.length >
        Math.max(this.specs.get(id)!.promptTokenIds.length, this.#lengthAtStart.get(id)!);
      const left = runningBefore.filter((id) => !plan.preempted.includes(id) && isDecoding(id));
      for (const id of left) expect(served).toContain(id);
    }
  }
}
