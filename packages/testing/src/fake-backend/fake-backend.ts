import {
  type Backend,
  type DeviceInfo,
  type EncoderOptions,
  type EncoderPlan,
  InvalidArgumentError,
  type SessionOptions,
  type SessionPlan,
} from '@kvasir/interfaces';
import { FakeEncoder, type FakeEncoderControl } from './fake-encoder.js';
import { FakeSession, type FakeSessionControl } from './fake-session.js';

/** How a fake backend behaves. */
export interface FakeBackendOptions extends Partial<FakeSessionControl> {
  /** Reported by plans. Default 0. */
  readonly weightBytes?: number;
  /** Of encoder sessions. Default: a batch runs in a later turn of the event loop and does not fail. */
  readonly encoders?: Partial<FakeEncoderControl>;
}

/** A {@link Backend} whose sessions are {@link FakeSession}s and {@link FakeEncoder}s. */
export interface FakeBackend extends Backend {
  openSession(options: SessionOptions): Promise<FakeSession>;
  openEncoder(options: EncoderOptions): Promise<FakeEncoder>;
  /** Encoder sessions opened so far. */
  readonly encoders: readonly FakeEncoder[];
  /** Sessions opened so far. */
  readonly sessions: readonly FakeSession[];
}

/** A backend without a model: exact in everything a step decides, and quick to notice a wrong block. */
export function createFakeBackend(options: FakeBackendOptions = {}): FakeBackend {
  const deviceInfo: DeviceInfo = {
    backend: 'fake',
    device: 'none',
    kernelPath: 'fake',
    kernelPaths: ['fake'],
    features: [],
    numThreads: 1,
  };
  const control: FakeSessionControl = {
    gate: options.gate ?? nextTurn,
    fails: options.fails ?? (() => false),
    stepMicros: options.stepMicros ?? ((numTokens) => numTokens),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  };
  const encoderControl: FakeEncoderControl = {
    gate: (_batch, work) => nextTurn(0, work),
    fails: () => false,
    ...options.encoders,
  };
  const sessions: FakeSession[] = [];
  const encoders: FakeEncoder[] = [];
  const planSession = (session: SessionOptions) => plan(session, options.weightBytes ?? 0);
  return {
    specificationVersion: 1,
    deviceInfo,
    sessions,
    encoders,
    planSession,
    planEncoder: (encoder) => planEncoder(encoder, options.weightBytes ?? 0),
    openEncoder: async (encoder) => {
      const plan = planEncoder(encoder, options.weightBytes ?? 0);
      const opened = new FakeEncoder({ numericsId: 'fake', device: deviceInfo, plan }, encoder, encoderControl);
      encoders.push(opened);
      return opened;
    },
    openSession: async (session) => {
      const info = { numericsId: 'fake', device: deviceInfo, plan: planSession(session) };
      const opened = new FakeSession(info, session, control);
      sessions.push(opened);
      return opened;
    },
  };
}

/** Runs the work in a later turn of the event loop, as a device would. */
function nextTurn<Result>(_index: number, work: () => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}

function plan(options: SessionOptions, weightBytes: number): SessionPlan {
  const [target] = options.programs;
  if (target === undefined) throw new InvalidArgumentError('programs', 'programs is empty, expected the target first');
  const bytesPerBlock = options.blockSize * 16;
  return {
    weightBytes,
    mappedBytes: 0,
    scratchBytes: 4 * options.maxOutputsPerStep * target.vocabSize,
    hostTierBytes: bytesPerBlock * (options.hostTier?.numBlocks ?? 0),
    kvGroups: target.kvGroups.map(({ kind, window }) => ({
      kind,
      bytesPerBlock,
      ...(window === undefined ? {} : { window }),
    })),
    kvCacheDtype: options.kvCacheDtype === 'auto' ? 'float32' : options.kvCacheDtype,
  };
}

function planEncoder({ program, maxSequencesPerBatch }: EncoderOptions, weightBytes: number): EncoderPlan {
  return { weightBytes, mappedBytes: 0, scratchBytes: 4 * maxSequencesPerBatch * program.hiddenSize };
}
