import {
  InvariantError,
  KvasirError,
  type Session,
  type SessionInfo,
  type SessionOptions,
  type StepBatch,
  type StepResult,
  TRANSFER_OP,
} from '@kvasir/interfaces';
import {
  finishStep,
  InvalidStepError,
  SlotMachine,
  type StagedRow,
  type StagedStep,
  type TransferRecord,
} from '@kvasir/kernels-cpu/reference';
import { EMPTY_PREFIX, extendPrefix, scramble } from './prefix-hash.js';
import { SimulatedKv } from './simulated-kv.js';

/** When and whether the steps of a fake session run. */
export interface FakeSessionControl {
  /** Runs `work` whenever it likes, once, and settles with it. Steps are gated one after the other. */
  readonly gate: (stepId: number, work: () => StepResult) => Promise<StepResult>;
  /** Makes a step fail as a device would, with nothing published. */
  readonly fails: (stepId: number) => boolean;
  /** What a step reports as its compute time. */
  readonly stepMicros: (numTokens: number) => number;
  /** Sees every batch that was accepted, before it runs. */
  readonly onStep?: (step: StagedStep) => void;
}

/** Runs steps as the contract says, over a KV pool that notices every misuse. The next token is a hash of what was read. */
export class FakeSession implements Session {
  readonly info: SessionInfo;
  readonly #options: SessionOptions;
  readonly #control: FakeSessionControl;
  readonly #slots: SlotMachine;
  readonly #kv: SimulatedKv;
  readonly #host: SimulatedKv | undefined;
  #lastStep: Promise<unknown> = Promise.resolve();
  #numOutstanding = 0;
  #closed = false;

  constructor(info: SessionInfo, options: SessionOptions, control: FakeSessionControl) {
    this.info = info;
    this.#options = options;
    this.#control = control;
    this.#slots = new SlotMachine(options);
    this.#kv = new SimulatedKv(options.numBlocks, options.blockSize);
    if (options.hostTier !== undefined) this.#host = new SimulatedKv(options.hostTier.numBlocks, options.blockSize);
  }

  /** Slots in use: 0 when everything was released. */
  get numSlots(): number {
    return this.#slots.numSlots;
  }

  async step(batch: StepBatch): Promise<StepResult> {
    this.#checkOpen();
    const { maxInFlight } = this.#options;
    if (this.#numOutstanding >= maxInFlight) {
      throw new InvalidStepError(`${this.#numOutstanding} steps are outstanding, expected fewer than ${maxInFlight}`);
    }
    const checksum = batch.words.slice(0, batch.numWords);
    const stepId = batch.words[3] as number;
    this.#numOutstanding++;
    const result = this.#lastStep.then(() =>
      this.#control.gate(stepId, () => {
        expectUnchanged(batch, checksum);
        return this.#run(batch);
      }),
    );
    const settled = result.finally(() => this.#numOutstanding--);
    this.#lastStep = settled.catch(() => undefined);
    return settled;
  }

  async readBlock(_group: number, block: number): Promise<Uint8Array> {
    this.#checkIdle();
    return this.#kv.readBlock(block);
  }

  async writeBlock(_group: number, block: number, bytes: Uint8Array): Promise<void> {
    this.#checkIdle();
    this.#kv.writeBlock(block, bytes);
  }

  async close(): Promise<void> {
    await this.#lastStep;
    this.#closed = true;
  }

  #run(batch: StepBatch): StepResult {
    const step = this.#slots.stage(batch);
    this.#control.onStep?.(step);
    if (this.#control.fails(step.records.stepId)) {
      throw new KvasirError('ERR_DEVICE', `step ${step.records.stepId} failed as asked`);
    }
    for (const transfer of step.records.transfers) this.#move(transfer);
    for (const row of step.rows) this.#writeRow(row);
    const numTokens = step.rows.reduce((sum, row) => sum + row.tokens.length, 0);
    const micros = this.#control.stepMicros(numTokens);
    const result = finishStep(
      step,
      (row, index) => this.#logits(step.rows[row]!, index),
      this.#options.eosTokenIds,
      micros,
    );
    this.#slots.publish(step);
    return result;
  }

  #move({ op, src, dst }: TransferRecord): void {
    if (op === TRANSFER_OP.store) this.#host!.copy(src, dst, this.#kv);
    else this.#kv.copy(src, dst, op === TRANSFER_OP.load ? this.#host : this.#kv);
  }

  #writeRow(row: StagedRow): void {
    const prefixes = prefixesOf(row);
    row.slot.tables.forEach((table, group) => {
      for (const [index, token] of row.tokens.entries()) {
        const position = row.start + index;
        this.#kv.write(table, groupKey(row, group), position, token, prefixes[position]!);
      }
    });
  }

  /** Reads every visible position of every group, then scores the vocabulary by the last prefix hash. */
  #logits(row: StagedRow, tokenIndex: number): Float64Array {
    const last = row.start + tokenIndex;
    const tokens = visibleTokens(row);
    const prefixes = prefixesOf(row);
    let state = 0;
    row.program.kvGroups.forEach(({ window }, group) => {
      const from = window === undefined ? 0 : Math.max(0, last + 1 - window);
      for (let position = from; position <= last; position++) {
        state = this.#kv.read(
          row.slot.tables[group]!,
          groupKey(row, group),
          position,
          tokens[position]!,
          prefixes[position]!,
        );
      }
    });
    return fakeLogits(state, row.program.vocabSize);
  }

  #checkOpen(): void {
    if (this.#closed) throw new KvasirError('ERR_SESSION_CLOSED', 'the session is closed: open another');
  }

  #checkIdle(): void {
    this.#checkOpen();
    if (this.#numOutstanding > 0) {
      throw new InvalidStepError(`${this.#numOutstanding} steps are outstanding: wait for them first`);
    }
  }
}

/** The fake model: logits in [-4, 4) that depend on the prefix hash and nothing else. */
export function fakeLogits(prefix: number, vocabSize: number): Float64Array {
  return Float64Array.from(
    { length: vocabSize },
    (_, id) => (scramble(prefix ^ Math.imul(id + 1, 0x9e3779b1)) / 2 ** 32) * 8 - 4,
  );
}

/** Names a group of one of the session's programs, since all share the pool. */
function groupKey(row: StagedRow, group: number): number {
  return row.slot.program * 64 + group;
}

function visibleTokens(row: StagedRow): number[] {
  return [...row.slot.history.slice(0, row.start), ...row.tokens];
}

function prefixesOf(row: StagedRow): number[] {
  let prefix = EMPTY_PREFIX;
  return visibleTokens(row).map((token) => {
    prefix = extendPrefix(prefix, token);
    return prefix;
  });
}

function expectUnchanged(batch: StepBatch, checksum: Int32Array): void {
  const changed = checksum.findIndex((word, index) => batch.words[index] !== word);
  if (changed >= 0) throw new InvariantError('a batch changed between submit and result', { word: changed });
}
