import { createFakeBackend } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { LLM } from '../src/index.js';

describe('LLM.load by name', () => {
  it('says what is wrong with a name that means nothing, and with a path where nothing is', async () => {
    const backend = createFakeBackend();
    await expect(LLM.load({ model: 'no-such-model', backend })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    await expect(LLM.load({ model: './nothing.gguf', backend })).rejects.toThrow(
      /looks like a path, but there is nothing/,
    );
    expect(backend.sessions).toHaveLength(0);
  });
});
