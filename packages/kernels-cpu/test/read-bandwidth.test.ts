import { InvalidArgumentError } from '@kvasir/interfaces';
import { measureReadBandwidth } from '@kvasir/kernels-cpu';
import { expect, it } from 'vitest';

it('gives bytes a second that memory can have, for any number of threads', async () => {
  for (const numThreads of [1, 2, 3]) {
    const bytesPerSecond = await measureReadBandwidth({ bytes: 48 * 2 ** 20, numThreads });
    expect(bytesPerSecond).toBeGreaterThan(1e8);
    expect(bytesPerSecond).toBeLessThan(1e13);
  }
});

it('takes more threads than the buffer has pages', async () => {
  expect(await measureReadBandwidth({ bytes: 2 ** 16, numThreads: 64 })).toBeGreaterThan(0);
});

it('leaves the event loop free', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await measureReadBandwidth({ bytes: 256 * 2 ** 20, numThreads: 1 });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});

it.each([
  [{ bytes: 100 }, /bytes is 100: expected a whole number from 65536 to 17179869184/],
  [{ numThreads: 0 }, /numThreads is 0: expected a whole number from 1 to 1024/],
])('refuses %j', async (options, message) => {
  const measuring = measureReadBandwidth(options);
  await expect(measuring).rejects.toThrow(InvalidArgumentError);
  await expect(measuring).rejects.toThrow(message);
});
