import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputStream } from '../src/index.js';

const usage = { promptTokens: 1, completionTokens: 0, cachedTokens: 0 };

function createStream(onLeave: () => void = () => undefined): OutputStream {
  return new OutputStream({ requestId: 'r', promptTokenIds: new Int32Array(1), seed: 0n }, onLeave);
}

describe('OutputStream', () => {
  it('loses and repeats nothing, however pushes and reads interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), async (reads) => {
        const stream = createStream();
        const results: Promise<IteratorResult<{ tokenIds: readonly number[] }, undefined>>[] = [];
        let numPushed = 0;
        for (const isRead of reads) {
          if (isRead) results.push(stream.next());
          else stream.push({ text: 'x', tokenIds: [numPushed++], usage });
        }
        stream.push({ text: '', tokenIds: [numPushed++], finishReason: 'stop', usage });
        stream.push({ text: 'late', tokenIds: [99], usage });
        for (let i = 0; i < 2; i++) results.push(stream.next());
        const seen = (await Promise.all(results)).flatMap(({ value }) => value?.tokenIds ?? []);
        expect(seen).toEqual(Array.from({ length: numPushed }, (_, i) => i));
        expect((await stream.next()).done).toBe(true);
      }),
      fcParameters(200),
    );
  });

  it('gives what is pending before its error, once', async () => {
    const stream = createStream();
    stream.push({ text: 'a', tokenIds: [1], usage });
    stream.fail(new Error('broken'));
    stream.fail(new Error('again'));
    expect((await stream.next()).value?.text).toBe('a');
    await expect(stream.next()).rejects.toThrow('broken');
    expect((await stream.next()).done).toBe(true);
  });

  it('says once that its consumer left, and not after the end', async () => {
    let numLeft = 0;
    const left = createStream(() => numLeft++);
    const waiting = left.next();
    await left.return();
    await left.return();
    expect((await waiting).done).toBe(true);
    expect(numLeft).toBe(1);
    const ended = createStream(() => numLeft++);
    ended.push({ text: '', tokenIds: [], finishReason: 'length', usage });
    await ended.return();
    expect(numLeft).toBe(1);
  });
});
