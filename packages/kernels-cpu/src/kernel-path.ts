import { InvalidArgumentError } from '@kvasir/interfaces';
import type { CpuInfo, CpuIsa } from './addon.js';

/** Kernel path of a backend: what its kernels are built for, and its name in reports. */
export interface KernelPath {
  readonly isa: CpuIsa;
  readonly hasBf16: boolean;
  readonly name: string;
}

/**
 * Chooses the path: `requested`, else the best one that the machine has.
 * @param requestedBy - Where the request came from, for the message.
 * @throws `InvalidArgumentError` For a path that the machine lacks or that does not exist.
 */
export function chooseKernelPath(cpu: CpuInfo, requested: string | undefined, requestedBy: string): KernelPath {
  const isa = requested === undefined ? cpu.isas[0] : cpu.isas.find((candidate) => candidate === requested);
  if (isa === undefined) {
    throw new InvalidArgumentError(
      'isa',
      `${requestedBy} is '${requested}': this machine (${cpu.brand}) runs ${cpu.isas.join(', ')}`,
    );
  }
  return pathOf(cpu, isa);
}

/** Every path of the machine, best first. */
export function kernelPaths(cpu: CpuInfo): readonly KernelPath[] {
  return cpu.isas.map((isa) => pathOf(cpu, isa));
}

function pathOf(cpu: CpuInfo, isa: CpuIsa): KernelPath {
  const hasBf16 = isa === 'avx512' && cpu.hasBf16;
  return { isa, hasBf16, name: isa === 'avx512' ? `avx512-vnni${hasBf16 ? '+bf16' : ''}` : isa };
}
