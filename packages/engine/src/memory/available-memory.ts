import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

/** Reads a small text file; `undefined` when there is none. */
export type ReadText = (path: string) => string | undefined;

/** Where a control group of one version says what it may take and what it has taken. */
interface GroupFiles {
  readonly root: string;
  readonly limits: readonly string[];
  readonly used: string;
  /** Page cache that can be given back, in `memory.stat`. */
  readonly reclaimable: RegExp;
}

const V2: GroupFiles = {
  root: '/sys/fs/cgroup',
  limits: ['memory.max', 'memory.high'],
  used: 'memory.current',
  reclaimable: /^inactive_file (\d+)$/m,
};

const V1: GroupFiles = {
  root: '/sys/fs/cgroup/memory',
  limits: ['memory.limit_in_bytes'],
  used: 'memory.usage_in_bytes',
  reclaimable: /^total_inactive_file (\d+)$/m,
};

/**
 * Bytes this process may still take: the least of what the machine has available and of what each control group around the process
 * leaves (v2 and v1, its own group and every one above it). Page cache that can be given back counts as available in all of them.
 */
export function availableMemoryBytes(read: ReadText = readTextFile): number {
  const groups = read('/proc/self/cgroup') ?? '';
  const unified = groups.match(/^0::(\/.*)$/m)?.[1] ?? '/';
  const memory = groups.match(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m)?.[1] ?? '/';
  return Math.min(machineAvailable(read), leastLeft(V2, unified, read), leastLeft(V1, memory, read));
}

function machineAvailable(read: ReadText): number {
  const kibibytes = read('/proc/meminfo')?.match(/^MemAvailable:\s+(\d+) kB/m)?.[1];
  return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
}

/** From the group of the process up to the root of what is mounted, which in a container is the container's own group. */
function leastLeft(files: GroupFiles, path: string, read: ReadText): number {
  let least = Number.POSITIVE_INFINITY;
  const names = path.split('/').filter((name) => name !== '');
  for (let depth = names.length; depth >= 0; depth--) {
    least = Math.min(least, leftIn([files.root, ...names.slice(0, depth)].join('/'), files, read));
  }
  return least;
}

function leftIn(folder: string, files: GroupFiles, read: ReadText): number {
  const limit = Math.min(...files.limits.map((name) => readLimit(read, `${folder}/${name}`)));
  const used = Number(read(`${folder}/${files.used}`) ?? Number.NaN);
  if (!Number.isFinite(limit) || !Number.isFinite(used)) return Number.POSITIVE_INFINITY;
  const reclaimable = Number(read(`${folder}/memory.stat`)?.match(files.reclaimable)?.[1] ?? 0);
  return Math.max(0, limit - used + Math.min(used, reclaimable));
}

/** `max`, and v1's huge stand-in for it, are no limit. */
function readLimit(read: ReadText, path: string): number {
  const text = read(path)?.trim();
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) && number < 2 ** 60 ? number : Number.POSITIVE_INFINITY;
}

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
