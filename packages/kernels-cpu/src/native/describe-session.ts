import type { KvCacheDtype, SessionOptions } from '@kvasir/interfaces';
import type { CpuIsa } from '../addon.js';
import { SessionWriter } from './session-writer.js';
import { writeProgram } from './write-program.js';

/** Of every description; counts up with native/session/read_program.cc. */
export const DESCRIPTION_FORMAT = 3;
/** Paths by their number in native code. */
export const ISAS: readonly CpuIsa[] = ['scalar', 'avx2', 'avx512', 'neon', 'neon-dotprod'];

/** What the backend adds to the options of a session. */
export interface NativeChoice {
  readonly isa: CpuIsa;
  readonly hasBf16: boolean;
  readonly numThreads: number;
  readonly kvCacheDtype: Exclude<KvCacheDtype, 'auto'>;
  /** Keep the time of each kind of phase. */
  readonly trace: boolean;
  /** Move a compute thread that shares a CPU with another. */
  readonly spreadThreads: boolean;
}

/** Index of a path in the native kernels. */
export function isaIndex(isa: CpuIsa): number {
  return ISAS.indexOf(isa);
}

/** Everything that native code needs to know of a session, in the form it crosses: no pointers, no objects. */
export function describeSession(
  options: SessionOptions,
  choice: NativeChoice,
): { readonly numbers: Float64Array; readonly texts: readonly string[] } {
  const out = new SessionWriter();
  out.number('format', DESCRIPTION_FORMAT);
  out.integer('mode', options.mode === 'float32' ? 1 : 0, 0, 1);
  out.integer('kvCacheDtype', ['float32', 'float16', 'bfloat16', 'int8'].indexOf(choice.kvCacheDtype), 0, 3);
  out.integer('blockSize', options.blockSize, 1, 2 ** 16);
  out.integer('numBlocks', options.numBlocks, 2, 2 ** 31 - 1);
  out.integer('maxSlots', options.maxSlots, 1, 2 ** 20);
  out.integer('maxModelLen', options.maxModelLen, 1, 2 ** 24);
  out.integer('maxTokensPerStep', options.maxTokensPerStep, 1, 2 ** 20);
  out.integer('maxOutputsPerStep', options.maxOutputsPerStep, 1, 2 ** 20);
  out.integer('maxTopLogprobs', options.maxTopLogprobs, 0, 2 ** 16);
  out.integer('maxInFlight', options.maxInFlight, 1, 2);
  out.integer('numThreads', choice.numThreads, 1, 1024);
  out.integer('isa', isaIndex(choice.isa), 0, ISAS.length - 1);
  out.integer('hasBf16', choice.hasBf16 ? 1 : 0, 0, 1);
  out.integer('trace', choice.trace ? 1 : 0, 0, 1);
  out.integer('spreadThreads', choice.spreadThreads ? 1 : 0, 0, 1);
  out.integer('hostTier.numBlocks', options.hostTier?.numBlocks ?? 0, 0, 2 ** 31 - 1);
  out.text(options.hostTier?.path ?? '');
  out.list('eosTokenIds', options.eosTokenIds, (id) => {
    out.integer('eosTokenIds', id, 0, 2 ** 24);
  });
  out.list('programs', options.programs, (program) => {
    writeProgram(out, program);
  });
  return out.finish();
}
