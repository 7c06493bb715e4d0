import { expect, it } from 'vitest';
import { TenantMeters } from '../src/tenant-meters.js';
import { collect, request, startEngine } from './support/harness.js';

it('requests, tokens and cache hits are counted by tenant', async () => {
  const { engine, kvCache } = await startEngine({ blockSize: 2 });
  const prompt = [2, 3, 4, 5, 6];
  const sampling = { maxTokens: 3, ignoreEos: true };
  await collect(engine.submit(request(prompt, sampling, undefined, { tenant: 'a' })));
  await collect(engine.submit(request(prompt, sampling, undefined, { tenant: 'a', n: 2 })));
  await collect(engine.submit(request(prompt, sampling)));
  expect([...engine.stats().tenants]).toEqual([
    ['a', { numRequests: 2, numFinished: 2, promptTokens: 10, cachedPromptTokens: 4, generationTokens: 9 }],
    ['', { numRequests: 1, numFinished: 1, promptTokens: 5, cachedPromptTokens: 4, generationTokens: 3 }],
  ]);
  expect(kvCache.stats().tenants.get('a')).toMatchObject({ hitTokens: 4 });
  await engine.close();
});

it('names beyond the bound are counted together', () => {
  const meters = new TenantMeters();
  for (let i = 0; i < 1000; i++) meters.of(`t${i}`);
  meters.of('late').numRequests++;
  meters.of('later').numRequests++;
  meters.of('t5').numRequests++;
  expect(meters.all.size).toBe(1001);
  expect(meters.all.get('*')?.numRequests).toBe(2);
  expect(meters.all.get('t5')?.numRequests).toBe(1);
});
