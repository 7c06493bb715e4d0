import { availableParallelism, freemem, totalmem } from 'node:os';
import { availableMemoryBytes } from '@kvasir/engine';
import type { DeviceInfo } from '@kvasir/interfaces';
import { cacheFolder, listCachedModels } from '@kvasir/model';
import type { Command } from '../command.js';
import { formatBytes } from '../terminal/format.js';
import { version } from '../version.js';

const BANDWIDTH_BYTES = 256 * 2 ** 20;

/** `kvasir doctor`: what this machine offers, and what is missing. */
export const doctor: Command = {
  help: {
    usage: 'kvasir doctor',
    summary: 'Shows CPU features, the live kernel path, threads, memory and read bandwidth, and what is missing.',
    flags: [],
  },
  maxPositionals: 0,
  async run(_flags, context) {
    const problems: string[] = [];
    const lines: [string, string][] = [
      ['kvasir', version()],
      ['node', `${process.version} (${process.platform}-${process.arch})`],
    ];
    const kernels = await loadKernels(problems);
    if (kernels !== undefined) {
      lines.push(...deviceLines(kernels.device, problems));
      const gigabytes =
        (await kernels.measureReadBandwidth({ bytes: BANDWIDTH_BYTES, numThreads: kernels.device.numThreads })) / 1e9;
      lines.push([
        'read bandwidth',
        `${gigabytes.toFixed(1)} GB/s with ${kernels.device.numThreads} threads over ${formatBytes(BANDWIDTH_BYTES)}`,
      ]);
    }
    const available = availableMemoryBytes();
    lines.push([
      'memory',
      `${formatBytes(totalmem())} in all, ${formatBytes(freemem())} free, ${formatBytes(available)} available to this process`,
    ]);
    if (available < 2 ** 30)
      problems.push(`only ${formatBytes(available)} of memory is available; the default model needs about 0.5 GiB`);
    const cached = await listCachedModels({ env: context.environment });
    lines.push(['model cache', `${cacheFolder(context.environment)} (${cached.length} models)`]);
    const width = Math.max(...lines.map(([name]) => name.length)) + 2;
    for (const [name, text] of lines) context.stdout.write(`${name.padEnd(width)}${text}\n`);
    context.stdout.write(
      problems.length === 0
        ? '\nnothing is missing\n'
        : `\nmissing or worth knowing:\n${problems.map((text) => `  - ${text}`).join('\n')}\n`,
    );
    return kernels === undefined ? 1 : 0;
  },
};

async function loadKernels(problems: string[]) {
  try {
    const { createCpuBackend, measureReadBandwidth } = await import('@kvasir/kernels-cpu');
    return { device: createCpuBackend().deviceInfo, measureReadBandwidth };
  } catch (error) {
    problems.push(`the CPU kernels do not load: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function deviceLines(device: DeviceInfo, problems: string[]): [string, string][] {
  if (device.kernelPath !== device.kernelPaths[0]) {
    problems.push(
      `the kernel path is forced to ${device.kernelPath}; this machine could run ${device.kernelPaths[0]} (unset KVASIR_CPU_ISA)`,
    );
  } else if (device.kernelPath === 'scalar') {
    problems.push('no vector kernels for this processor: expect a tenth of the usual speed');
  }
  if (device.numThreads < availableParallelism() / 2) {
    problems.push(
      `${device.numThreads} compute threads on ${availableParallelism()} processors; set --threads for more`,
    );
  }
  return [
    ['processor', device.device],
    ['features', device.features.join(' ')],
    ['kernel path', `${device.kernelPath} (could run: ${device.kernelPaths.join(', ')})`],
    ['threads', `${device.numThreads} of ${availableParallelism()} processors`],
  ];
}
