import { describe, expect, test } from 'vitest';
import { mergeStreams } from '../src/merge-streams.js';

async function* count(name: string, upTo: number, log: string[] = []) {
  try {
    for (let i = 0; i < upTo; i++) {
      log.push(`${name}${i} asked`);
      yield `${name}${i}`;
    }
  } finally {
    log.push(`${name} left`);
  }
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of stream) all.push(value);
  return all;
}

describe('mergeStreams', () => {
  test('keeps the order of each stream and gives every value', async () => {
    const all = await collect(mergeStreams([count('a', 3), count('b', 2), count('c', 0)]));
    const of = (index: number) => all.filter(([i]) => i === index).map(([, value]) => value);
    expect([of(0), of(1), of(2)]).toEqual([['a0', 'a1', 'a2'], ['b0', 'b1'], []]);
  });

  test('of nothing ends at once', async () => {
    expect(await collect(mergeStreams([]))).toEqual([]);
  });

  test('asks a stream for more only after its value was taken', async () => {
    const log: string[] = [];
    const merged = mergeStreams([count('a', 3, log)]);
    await merged.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(log).toEqual(['a0 asked']);
    await merged.next();
    expect(log).toEqual(['a0 asked', 'a1 asked']);
    await merged.return(undefined);
  });

  test('leaving it leaves every stream', async () => {
    const log: string[] = [];
    for await (const _ of mergeStreams([count('a', 3, log), count('b', 3, log)])) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(log.filter((line) => line.endsWith('left')).toSorted()).toEqual(['a left', 'b left']);
  });

  test('an error of one ends all', async () => {
    const log: string[] = [];
    async function* failing(): AsyncGenerator<string> {
      yield 'x';
      throw new Error('broke');
    }
    await expect(collect(mergeStreams([count('a', 1000, log), failing()]))).rejects.toThrow('broke');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(log.at(-1)).toBe('a left');
  });
});
