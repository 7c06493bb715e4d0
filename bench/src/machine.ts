import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { measureReadBandwidth } from '@kvasir/kernels-cpu';

/** What a figure was measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  readonly kvasir: string;
  readonly readBandwidthGBs: number;
}

/** Describes this machine, with a read-only bandwidth test of a fraction of a second. */
export async function describeMachine(): Promise<Machine> {
  const manifest = new URL('../../packages/cli/package.json', import.meta.url);
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    kvasir: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version,
    readBandwidthGBs: Math.round((await measureReadBandwidth()) / 1e8) / 10,
  };
}
