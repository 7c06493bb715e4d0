import {
  type DecoderProgram,
  KvasirError,
  type Session,
  type SessionInfo,
  type SessionOptions,
  type StepBatch,
  type StepResult,
} from '@kvasir/interfaces';
import { finishStep } from './finish-step.js';
import { runProgram, type TokenInput } from './interpreter.js';
import { InvalidStepError } from './invalid-step-error.js';
import type { LoadedWeight } from './load-weights.js';
import { kvWidth, PagedKv } from './paged-kv.js';
import { SlotMachine, type StagedStep } from './slot-machine.js';
import { transferPlaces } from './step-checks.js';

/** A session that computes each step at once, in double precision, in plain loops. */
export class ReferenceSession implements Session {
  readonly info: SessionInfo;
  readonly #options: SessionOptions;
  readonly #weights: ReadonlyMap<DecoderProgram, readonly LoadedWeight[]>;
  readonly #slots: SlotMachine;
  readonly #kv: PagedKv;
  #numOutstanding = 0;
  #closed = false;

  constructor(
    info: SessionInfo,
    options: SessionOptions,
    weights: ReadonlyMap<DecoderProgram, readonly LoadedWeight[]>,
  ) {
    this.info = info;
    this.#options = options;
    this.#weights = weights;
    this.#slots = new SlotMachine(options);
    this.#kv = new PagedKv(
      options.numBlocks + (options.hostTier?.numBlocks ?? 0),
      options.blockSize,
      Math.max(...options.programs.map(kvWidth)),
      info.plan.kvCacheDtype === 'int8' ? 'int8' : 'float32',
    );
  }

  async step(batch: StepBatch): Promise<StepResult> {
    this.#checkOpen();
    const { maxInFlight } = this.#options;
    if (this.#numOutstanding >= maxInFlight) {
      throw new InvalidStepError(`${this.#numOutstanding} steps are outstanding, expected fewer than ${maxInFlight}`);
    }
    this.#numOutstanding++;
    try {
      const result = this.#run(batch);
      // The next turn of the loop, as a caller of a real session sees it.
      await new Promise((resolve) => setImmediate(resolve));
      return result;
    } finally {
      this.#numOutstanding--;
    }
  }

  async readBlock(_group: number, block: number): Promise<Uint8Array> {
    this.#checkIdle();
    return new Uint8Array(await Promise.resolve(this.#kv.block(block).slice().buffer));
  }

  async writeBlock(_group: number, block: number, bytes: Uint8Array): Promise<void> {
    this.#checkIdle();
    this.#kv.block(block).set(new Float64Array(await Promise.resolve(bytes.slice().buffer)));
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #run(batch: StepBatch): StepResult {
    const startMs = performance.now();
    const step = this.#slots.stage(batch);
    for (const transfer of step.records.transfers) this.#kv.copy(...transferPlaces(transfer, this.#options));
    const logits = this.#computeLogits(step);
    const micros = Math.round(1000 * (performance.now() - startMs));
    const result = finishStep(
      step,
      (row, tokenIndex) => logits.get(row)!.get(tokenIndex)!.slice(),
      this.#options.eosTokenIds,
      micros,
    );
    this.#slots.publish(step);
    return result;
  }

  /** Logits by row, then by token index, of the tokens that some output asks for. Rows of one program run together. */
  #computeLogits(step: StagedStep): ReadonlyMap<number, ReadonlyMap<number, Float64Array>> {
    const logits = new Map<number, Map<number, Float64Array>>();
    for (const program of this.#options.programs) {
      const tokens: TokenInput[] = [];
      const outputs: number[] = [];
      const places: { readonly row: number; readonly tokenIndex: number }[] = [];
      step.rows.forEach((row, index) => {
        if (row.program !== program || row.skipped) return;
        for (const tokenIndex of new Set(row.outputs.map(({ record }) => record.tokenIndex))) {
          places.push({ row: index, tokenIndex });
          outputs.push(tokens.length + tokenIndex);
        }
        row.tokens.forEach((tokenId, i) => {
          tokens.push({ tokenId, position: row.start + i, tables: row.slot.tables });
        });
      });
      const weights = this.#weights.get(program)!;
      const computed = runProgram({ program, weights, kv: this.#kv, tokens, outputs });
      places.forEach(({ row, tokenIndex }, index) => {
        if (!logits.has(row)) logits.set(row, new Map());
        logits.get(row)!.set(tokenIndex, computed[index]!);
      });
    }
    return logits;
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
