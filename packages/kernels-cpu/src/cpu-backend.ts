import { env } from 'node:process';
import type {
  Backend,
  DecoderProgram,
  DeviceInfo,
  EncoderOptions,
  EncoderPlan,
  KvCacheDtype,
  OpenSessionControl,
  SessionOptions,
  SessionPlan,
} from '@kvasir/interfaces';
import { InvalidArgumentError } from '@kvasir/interfaces';
import { type Addon, type CpuIsa, loadAddon } from './addon.js';
import { checkEncoderOptions, checkSessionOptions, integer } from './check-session-options.js';
import { CpuEncoder } from './cpu-encoder.js';
import { CpuSession } from './cpu-session.js';
import { chooseKernelPath, type KernelPath, kernelPaths } from './kernel-path.js';
import { describeEncoder } from './native/describe-encoder.js';
import { describeSession } from './native/describe-session.js';
import { EncoderConnection } from './native/encoder-connection.js';
import { NativeConnection } from './native/native-connection.js';
import { callNative } from './native-error.js';
import { encoderNumericsId, numericsId } from './numerics-id.js';

/** Options of {@link createCpuBackend}. */
export interface CpuBackendOptions {
  /** Kernel path; default: `KVASIR_CPU_ISA`, else the best one that the processor and system have. */
  readonly isa?: CpuIsa;
  /** Compute threads of a session that does not say; default: one a physical core that this process may use. */
  readonly numThreads?: number;
  /**
   * `spread` (default): a compute thread that shares a CPU with another of its session moves to an idle one of the affinity mask (Linux).
   * `system`: where threads run is left to the system alone. No thread is ever bound to a CPU.
   */
  readonly threadPlacement?: 'spread' | 'system';
  /** Keep the time of each kind of phase for `CpuSession.trace()`; default: whether `KVASIR_TRACE_OPS` is 1. */
  readonly traceOps?: boolean;
}

/** Backend on the CPU. Kernels are chosen once, here, by what the processor can do. */
export class CpuBackend implements Backend {
  readonly specificationVersion = 1;
  readonly deviceInfo: DeviceInfo;
  readonly #addon: Addon;
  readonly #path: KernelPath;
  readonly #spreadThreads: boolean;
  readonly #trace: boolean;

  /** @internal */
  constructor(addon: Addon, options: CpuBackendOptions) {
    const cpu = addon.cpuInfo();
    if (options.numThreads !== undefined) integer('numThreads', options.numThreads, 1, 1024);
    const requestedBy = options.isa === undefined ? 'KVASIR_CPU_ISA' : 'isa';
    const requested = options.isa ?? (env['KVASIR_CPU_ISA'] === '' ? undefined : env['KVASIR_CPU_ISA']);
    this.#addon = addon;
    this.#path = chooseKernelPath(cpu, requested, requestedBy);
    this.#spreadThreads = isSpread(options.threadPlacement);
    this.#trace = options.traceOps ?? env['KVASIR_TRACE_OPS'] === '1';
    this.deviceInfo = {
      backend: 'cpu',
      device: cpu.brand,
      kernelPath: this.#path.name,
      kernelPaths: kernelPaths(cpu).map((path) => path.name),
      features: cpu.features,
      numThreads: options.numThreads ?? cpu.availableCores,
    };
  }

  planSession(options: SessionOptions): SessionPlan {
    checkSessionOptions(options);
    const { numbers, texts } = this.#describe(options);
    const plan = callNative(() => this.#addon.planSession(numbers, texts));
    return {
      weightBytes: plan.weightBytes,
      mappedBytes: plan.mappedBytes,
      scratchBytes: plan.scratchBytes,
      hostTierBytes: plan.hostTierBytes,
      kvGroups: (options.programs[0] as DecoderProgram).kvGroups.map(({ kind, window }) => ({
        kind,
        ...(window === undefined ? {} : { window }),
        bytesPerBlock: plan.bytesPerBlock,
      })),
      kvCacheDtype: resolveKvDtype(options),
    };
  }

  planEncoder(options: EncoderOptions): EncoderPlan {
    checkEncoderOptions(options);
    const { numbers, texts } = this.#describeEncoder(options);
    return callNative(() => this.#addon.planEncoder(numbers, texts));
  }

  async openEncoder(options: EncoderOptions, control: OpenSessionControl = {}): Promise<CpuEncoder> {
    const { signal } = control;
    signal?.throwIfAborted();
    const plan = this.planEncoder(options);
    const connection = new EncoderConnection(this.#addon, this.#describeEncoder(options), control.onProgress);
    const opening = connection.open(signal);
    try {
      const [id] = await Promise.all([encoderNumericsId(options, this.#path.name), opening]);
      signal?.throwIfAborted();
      const device = { ...this.deviceInfo, numThreads: this.#numThreads(options) };
      return new CpuEncoder({ numericsId: id, device, plan }, options, connection);
    } catch (error) {
      connection.abortOpen();
      await opening.catch(() => undefined);
      await connection.free();
      signal?.throwIfAborted();
      throw error;
    }
  }

  async openSession(options: SessionOptions, control: OpenSessionControl = {}): Promise<CpuSession> {
    const { signal } = control;
    signal?.throwIfAborted();
    const plan = this.planSession(options);
    const connection = new NativeConnection(this.#addon, this.#describe(options), control.onProgress);
    const opening = connection.open(signal);
    try {
      const [id] = await Promise.all([numericsId(options, this.#path.name, plan.kvCacheDtype), opening]);
      signal?.throwIfAborted();
      const device = { ...this.deviceInfo, numThreads: this.#numThreads(options) };
      const session = new CpuSession({ numericsId: id, device, plan }, options, connection.native);
      connection.attach(session);
      return session;
    } catch (error) {
      connection.native.abortOpen();
      await opening.catch(() => undefined);
      await connection.free();
      signal?.throwIfAborted();
      throw error;
    }
  }

  #describe(options: SessionOptions) {
    return describeSession(options, {
      isa: this.#path.isa,
      hasBf16: this.#path.hasBf16,
      numThreads: this.#numThreads(options),
      kvCacheDtype: resolveKvDtype(options),
      trace: this.#trace,
      spreadThreads: this.#spreadThreads,
    });
  }

  #describeEncoder(options: EncoderOptions) {
    return describeEncoder(options, {
      isa: this.#path.isa,
      hasBf16: this.#path.hasBf16,
      numThreads: this.#numThreads(options),
      spreadThreads: this.#spreadThreads,
    });
  }

  #numThreads(options: { readonly numThreads?: number }): number {
    return options.numThreads ?? this.deviceInfo.numThreads;
  }
}

/**
 * A backend on this machine's CPU.
 * @throws `InvalidArgumentError` For a kernel path that the CPU lacks, or an option that does not exist.
 * @throws `KvasirError` `ERR_ADDON_NOT_FOUND` When there is no native build for this platform.
 */
export function createCpuBackend(options: CpuBackendOptions = {}): CpuBackend {
  const known = ['isa', 'numThreads', 'threadPlacement', 'traceOps'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(unknown, `option '${unknown}' does not exist: expected ${known.join(', ')}`);
  }
  return new CpuBackend(loadAddon(), options);
}

function isSpread(placement: unknown = 'spread'): boolean {
  if (placement !== 'spread' && placement !== 'system') {
    throw new InvalidArgumentError(
      'threadPlacement',
      `threadPlacement is ${String(placement)}, expected spread or system`,
    );
  }
  return placement === 'spread';
}

function resolveKvDtype({ kvCacheDtype, mode }: SessionOptions): Exclude<KvCacheDtype, 'auto'> {
  if (kvCacheDtype !== 'auto') return kvCacheDtype;
  return mode === 'float32' ? 'float32' : 'float16';
}
