import {
  type Backend,
  type DecoderProgram,
  type DeviceInfo,
  type EncoderOptions,
  type EncoderPlan,
  InvalidArgumentError,
  type SessionOptions,
  type SessionPlan,
  UnsupportedError,
} from '@kvasir/interfaces';
import { checkHostTier } from '../check-session-options.js';
import { checkTaps } from '../native/write-program.js';
import { type DecodeWeight, decodeDense } from './decode-weight.js';
import { checkOps } from './interpreter.js';
import { type LoadedWeight, loadWeights } from './load-weights.js';
import { kvWidth } from './paged-kv.js';
import { checkEncoderOps, ReferenceEncoder } from './reference-encoder.js';
import { ReferenceSession } from './reference-session.js';

/** What {@link createReferenceBackend} may be told. */
export interface ReferenceBackendOptions {
  /** Decodes weights that are not dense, such as `@kvasir/quant`'s decoders. Default: dense only. */
  readonly decodeWeight?: DecodeWeight;
}

/**
 * The oracle of every other backend: a DecoderProgram run op by op in double precision, over a paged KV cache, on one thread.
 * It blocks the event loop for as long as a step takes, so it is for tests and tiny models.
 */
export function createReferenceBackend(options: ReferenceBackendOptions = {}): Backend {
  const decode = options.decodeWeight ?? decodeDense;
  const deviceInfo: DeviceInfo = {
    backend: 'reference',
    device: 'javascript',
    kernelPath: 'double',
    kernelPaths: ['double'],
    features: [],
    numThreads: 1,
  };
  return {
    specificationVersion: 1,
    deviceInfo,
    planSession,
    planEncoder,
    openEncoder: async (encoder, control = {}) => {
      const plan = planEncoder(encoder);
      control.signal?.throwIfAborted();
      const weights = await loadWeights(encoder.program, decode);
      control.onProgress?.({ loadedBytes: 1, totalBytes: 1 });
      const info = { numericsId: `reference-${encoder.program.name}`, device: deviceInfo, plan };
      return new ReferenceEncoder(info, encoder, weights);
    },
    openSession: async (session, control = {}) => {
      const plan = planSession(session);
      const weights = new Map<DecoderProgram, readonly LoadedWeight[]>();
      for (const [index, program] of session.programs.entries()) {
        control.signal?.throwIfAborted();
        weights.set(program, await loadWeights(program, decode));
        control.onProgress?.({ loadedBytes: index + 1, totalBytes: session.programs.length });
      }
      const info = {
        numericsId: `reference-${session.programs.map(({ name }) => name).join('+')}`,
        device: deviceInfo,
        plan,
      };
      return new ReferenceSession(info, session, weights);
    },
  };
}

function planEncoder({ program, maxTokensPerBatch, maxSequencesPerBatch }: EncoderOptions): EncoderPlan {
  checkEncoderOps(program);
  const rows = { tokens: maxTokensPerBatch, outputs: maxSequencesPerBatch };
  return {
    weightBytes: 8 * program.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    mappedBytes: 0,
    scratchBytes: 8 * program.values.reduce((sum, value) => sum + value.width * rows[value.rows], 0),
  };
}

function planSession(options: SessionOptions): SessionPlan {
  const [target] = options.programs;
  if (target === undefined) throw new InvalidArgumentError('programs', 'programs is empty, expected the target first');
  options.programs.forEach(checkOps);
  options.programs.forEach(checkTaps);
  if (options.hostTier !== undefined) checkHostTier(options.hostTier);
  if (options.hostTier?.path !== undefined) {
    throw new UnsupportedError(
      'host tier in a file',
      'hostTier.path is set: the reference backend keeps its host tier in memory, leave it out',
    );
  }
  const isInt8 = options.kvCacheDtype === 'int8';
  if (!isInt8 && options.kvCacheDtype !== 'auto' && options.kvCacheDtype !== 'float32') {
    throw new UnsupportedError(
      `${options.kvCacheDtype} KV cache`,
      `kvCacheDtype is ${options.kvCacheDtype}: the reference backend keeps KV in full precision, or rounds it to int8, expected auto, float32 or int8`,
    );
  }
  const bytesPerBlock = 8 * options.blockSize * Math.max(...options.programs.map(kvWidth));
  const numWeights = options.programs.flatMap(({ weights }) =>
    weights.map(({ shape }) => shape.reduce((a, b) => a * b, 1)),
  );
  return {
    weightBytes: 8 * numWeights.reduce((a, b) => a + b, 0),
    mappedBytes: 0,
    scratchBytes:
      8 *
      target.values.reduce(
        (sum, { width, rows }) =>
          sum + width * (rows === 'tokens' ? options.maxTokensPerStep : options.maxOutputsPerStep),
        0,
      ),
    hostTierBytes: bytesPerBlock * (options.hostTier?.numBlocks ?? 0),
    kvGroups: target.kvGroups.map(({ kind, window }) => ({
      kind,
      bytesPerBlock,
      ...(window === undefined ? {} : { window }),
    })),
    kvCacheDtype: isInt8 ? 'int8' : 'float32',
  };
}
