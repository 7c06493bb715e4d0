import { InvalidArgumentError, InvariantError, KvasirError, UnsupportedError } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';

describe('KvasirError', () => {
  it('has a stable code, its own name and a cause', () => {
    const cause = new Error('why');
    const error = new InvalidArgumentError('topP', 'topP is 2', { cause });
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      name: 'InvalidArgumentError',
      parameter: 'topP',
      cause,
    });
    expect(new UnsupportedError('moe', 'no experts yet')).toMatchObject({ code: 'ERR_UNSUPPORTED', feature: 'moe' });
  });

  it('is known by its marker, also from another copy of the package', () => {
    const error = new KvasirError('ERR_X', 'x');
    expect(KvasirError.isInstance(error)).toBe(true);
    expect(KvasirError.isInstance(error, 'ERR_X')).toBe(true);
    expect(KvasirError.isInstance(error, 'ERR_Y')).toBe(false);
    const foreign = Object.defineProperty(new Error('y'), Symbol.for('kvasir.error'), { value: true });
    expect(KvasirError.isInstance(foreign)).toBe(true);
    expect(KvasirError.isInstance(new Error('z'))).toBe(false);
    expect(KvasirError.isInstance({ code: 'ERR_X' })).toBe(false);
  });

  it('carries every number of a broken invariant in its message', () => {
    const error = new InvariantError('blocks leak', { numFree: 3, numBlocks: 4 });
    expect(error.message).toBe('blocks leak (numFree=3, numBlocks=4)');
    expect(error.facts).toEqual({ numFree: 3, numBlocks: 4 });
  });
});
