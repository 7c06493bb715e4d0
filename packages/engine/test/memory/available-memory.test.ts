import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { availableMemoryBytes, type ReadText } from '../../src/index.js';

const MEMINFO = 'MemTotal: 100 kB\nMemAvailable:   64 kB\n';
const folder = mkdtempSync(join(tmpdir(), 'kvasir-cgroup-'));
let numTrees = 0;

afterAll(() => rmSync(folder, { recursive: true }));

/** A folder that stands for `/`, as the kernel would fill it. */
function tree(files: Readonly<Record<string, string>>): ReadText {
  const root = join(folder, String(numTrees++));
  for (const [path, text] of Object.entries({ '/proc/meminfo': MEMINFO, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return (path) => {
    try {
      return readFileSync(join(root, path), 'utf8');
    } catch {
      return undefined;
    }
  };
}

function group(path: string, limit: number | 'max', used: number, inactive = 0): Record<string, string> {
  return {
    [`/sys/fs/cgroup${path}/memory.max`]: `${limit}\n`,
    [`/sys/fs/cgroup${path}/memory.current`]: `${used}\n`,
    [`/sys/fs/cgroup${path}/memory.stat`]: `anon 100\nactive_file 7\ninactive_file ${inactive}\n`,
  };
}

describe('availableMemoryBytes', () => {
  it('is what the machine has without a control group', () => {
    expect(availableMemoryBytes(tree({}))).toBe(65536);
  });

  describe('in a v2 group', () => {
    it('is what the group leaves, page cache given back', () => {
      const files = { '/proc/self/cgroup': '0::/pod/box\n', ...group('/pod/box', 50_000, 30_000, 5000) };
      expect(availableMemoryBytes(tree(files))).toBe(25_000);
    });

    it('is what the tightest group around it leaves, its own limit or not', () => {
      const files = {
        '/proc/self/cgroup': '0::/pod/box\n',
        ...group('/pod/box', 'max', 10_000),
        ...group('/pod', 45_000, 40_000, 2000),
      };
      expect(availableMemoryBytes(tree(files))).toBe(7000);
      expect(availableMemoryBytes(tree({ ...files, ...group('/pod/box', 12_000, 10_000) }))).toBe(2000);
    });

    it('is what the mount of a container leaves, where the path of the group is not visible', () => {
      const files = { '/proc/self/cgroup': '0::/docker/0123\n', ...group('', 60_000, 50_000) };
      expect(availableMemoryBytes(tree(files))).toBe(10_000);
    });

    it('counts memory.high, beyond which the kernel throttles', () => {
      const files = { ...group('', 60_000, 10_000), '/sys/fs/cgroup/memory.high': '40000\n' };
      expect(availableMemoryBytes(tree(files))).toBe(30_000);
    });

    it('is nothing when more is used than allowed', () => {
      expect(availableMemoryBytes(tree(group('', 10_000, 12_000)))).toBe(0);
    });
  });

  describe('in a v1 group', () => {
    const v1 = (path: string, limit: number | string, used: number, inactive = 0) => ({
      [`/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`]: `${limit}\n`,
      [`/sys/fs/cgroup/memory${path}/memory.usage_in_bytes`]: `${used}\n`,
      [`/sys/fs/cgroup/memory${path}/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${inactive}\n`,
    });

    it('is what the group of the memory controller leaves', () => {
      const files = { '/proc/self/cgroup': '5:cpu,cpuacct:/y\n4:memory:/x\n', ...v1('/x', 40_000, 3000, 2000) };
      expect(availableMemoryBytes(tree(files))).toBe(39_000);
    });

    it('is what the tightest group around it leaves', () => {
      const files = {
        '/proc/self/cgroup': '4:memory,hugetlb:/a/b\n',
        ...v1('/a/b', 60_000, 1000),
        ...v1('/a', 20_000, 5000),
      };
      expect(availableMemoryBytes(tree(files))).toBe(15_000);
    });

    it('knows the stand-in for no limit', () => {
      expect(availableMemoryBytes(tree(v1('', '9223372036854771712', 1)))).toBe(65536);
    });
  });

  it('is a sensible number here', () => {
    expect(availableMemoryBytes()).toBeGreaterThan(2 ** 20);
  });
});
