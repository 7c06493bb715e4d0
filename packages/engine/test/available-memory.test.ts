import { describe, expect, it } from 'vitest';
import { availableMemoryBytes } from '../src/index.js';

const MEMINFO = 'MemTotal: 100 kB\nMemAvailable:   64 kB\n';

function filesystem(files: Readonly<Record<string, string>>): (path: string) => string | undefined {
  return (path) => ({ '/proc/meminfo': MEMINFO, ...files })[path];
}

describe('availableMemoryBytes', () => {
  it('is what the machine has without a control group', () => {
    expect(availableMemoryBytes(filesystem({}))).toBe(65536);
  });

  it('is what a v2 group leaves, page cache given back', () => {
    const files = {
      '/proc/self/cgroup': '0::/pod/box\n',
      '/sys/fs/cgroup/pod/box/memory.max': '50000\n',
      '/sys/fs/cgroup/pod/box/memory.current': '30000\n',
      '/sys/fs/cgroup/pod/box/memory.stat': 'anon 10000\ninactive_file 5000\n',
    };
    expect(availableMemoryBytes(filesystem(files))).toBe(25000);
  });

  it('is what a v1 group leaves', () => {
    const files = {
      '/proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/x\n',
      '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '40000',
      '/sys/fs/cgroup/memory/x/memory.usage_in_bytes': '1000',
    };
    expect(availableMemoryBytes(filesystem(files))).toBe(39000);
  });

  it('takes "max" and the stand-in of v1 for no limit', () => {
    const files = {
      '/sys/fs/cgroup/memory.max': 'max\n',
      '/sys/fs/cgroup/memory.current': '1\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': '1',
    };
    expect(availableMemoryBytes(filesystem(files))).toBe(65536);
  });

  it('is a sensible number here', () => {
    expect(availableMemoryBytes()).toBeGreaterThan(2 ** 20);
  });
});
