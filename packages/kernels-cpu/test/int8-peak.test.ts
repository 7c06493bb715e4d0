import { InvalidArgumentError } from '@kvasir/interfaces';
import { createCpuBackend, measureInt8Peak } from '@kvasir/kernels-cpu';
import { expect, it } from 'vitest';

it('gives operations a second that cores can do, where there is a dot product', async () => {
  const opsPerSecond = await measureInt8Peak({ numThreads: 2 });
  if (createCpuBackend().deviceInfo.kernelPaths.every((path) => path === 'scalar' || path.startsWith('neon'))) {
    expect(opsPerSecond).toBeUndefined();
    return;
  }
  expect(opsPerSecond).toBeGreaterThan(1e9);
  expect(opsPerSecond).toBeLessThan(1e15);
});

it('refuses a number of threads that cannot be', async () => {
  const measuring = measureInt8Peak({ numThreads: 0 });
  await expect(measuring).rejects.toThrow(InvalidArgumentError);
  await expect(measuring).rejects.toThrow(/numThreads is 0: expected a whole number from 1 to 1024/);
});
