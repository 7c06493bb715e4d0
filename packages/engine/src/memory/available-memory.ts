import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

/** Reads a small text file; `undefined` when there is none. */
export type ReadText = (path: string) => string | undefined;

/**
 * Bytes this process may still take: what the machine has available, and what its control group allows (v2, then v1),
 * whichever is less. Page cache that can be given back counts as available in both.
 */
export function availableMemoryBytes(read: ReadText = readTextFile): number {
  return Math.min(machineAvailable(read), groupAvailable(read) ?? Number.POSITIVE_INFINITY);
}

function machineAvailable(read: ReadText): number {
  const kibibytes = read('/proc/meminfo')?.match(/^MemAvailable:\s+(\d+) kB/m)?.[1];
  return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
}

function groupAvailable(read: ReadText): number | undefined {
  for (const folder of groupFolders(read)) {
    const limit = readNumber(read, `${folder}/memory.max`) ?? readNumber(read, `${folder}/memory.limit_in_bytes`);
    const used = readNumber(read, `${folder}/memory.current`) ?? readNumber(read, `${folder}/memory.usage_in_bytes`);
    if (limit === undefined || used === undefined) continue;
    return Math.max(0, limit - used + reclaimableBytes(read(`${folder}/memory.stat`)));
  }
  return undefined;
}

/** Where this process's group may be mounted: its own path first, then the root of a container. */
function groupFolders(read: ReadText): readonly string[] {
  const groups = read('/proc/self/cgroup') ?? '';
  const unified = groups.match(/^0::(\/.*)$/m)?.[1] ?? '/';
  const memory = groups.match(/^\d+:[^:]*\bmemory\b[^:]*:(\/.*)$/m)?.[1] ?? '/';
  return [
    `/sys/fs/cgroup${unified === '/' ? '' : unified}`,
    '/sys/fs/cgroup',
    `/sys/fs/cgroup/memory${memory === '/' ? '' : memory}`,
    '/sys/fs/cgroup/memory',
  ];
}

function reclaimableBytes(stat: string | undefined): number {
  return Number(stat?.match(/^(?:total_)?inactive_file (\d+)$/m)?.[1] ?? 0);
}

/** `max`, and v1's huge stand-in for it, are no limit. */
function readNumber(read: ReadText, path: string): number | undefined {
  const text = read(path)?.trim();
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) && number < 2 ** 60 ? number : undefined;
}

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
