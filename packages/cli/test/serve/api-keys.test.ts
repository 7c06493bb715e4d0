import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseApiKey, readApiKeyFile, requireOneNameEach } from '../../src/serve/api-keys.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();

describe('a key', () => {
  test.each([
    ['sk-1', { key: 'sk-1' }],
    ['acme:sk-1', { key: 'sk-1', name: 'acme' }],
    ['acme:sk:1', { key: 'sk:1', name: 'acme' }],
    [':sk:1', { key: 'sk:1' }],
    ['a/b:c', { key: 'a/b:c' }],
    ['abcd==', { key: 'abcd==' }],
  ])('%j is %j', (text, expected) => {
    expect(parseApiKey(text, '--api-key')).toEqual(expected);
  });

  test.each(['acme:', ':', 'two words', 'schlüssel'])('%j is none, and the message does not repeat it', (text) => {
    expect(() => parseApiKey(text, 'here')).toThrow(
      'here: expected [NAME:]KEY of visible ASCII characters, got none or others; correct it',
    );
  });

  test('has one name', () => {
    const twice = [{ key: 'secret', name: 'a' }, { key: 'secret' }];
    expect(() => requireOneNameEach(twice)).toThrow('an API key is given twice, with a and with no name');
    expect(() => requireOneNameEach([twice[0]!, twice[0]!])).not.toThrow();
  });
});

describe('a file of keys', () => {
  const path = join(folder, 'keys');
  const read = async (text: string, mode = 0o600) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
    const warnings: string[] = [];
    return { keys: await readApiKeyFile(path, (message) => warnings.push(message)), warnings };
  };

  test('has one a line, and comments', async () => {
    const { keys, warnings } = await read('# ours\nacme:one\r\n\n  two  \n#three\n');
    expect(keys).toEqual([{ key: 'one', name: 'acme' }, { key: 'two' }]);
    expect(warnings).toEqual([]);
  });

  test.runIf(process.platform !== 'win32')('that everyone can read is warned of', async () => {
    expect((await read('one\n', 0o640)).warnings).toEqual([]);
    expect((await read('one\n', 0o644)).warnings).toEqual([
      `--api-key-file ${path} can be read by everyone on this machine; chmod 600 keeps it secret`,
    ]);
  });

  test.each([
    ['# none\n', 'expected a key a line, got none; add one'],
    ['fine\nnot fine\n', 'line 2: expected [NAME:]KEY'],
    ['x'.repeat(1 << 21), 'expected at most 1048576 bytes, got 2097152'],
  ])('is refused when it cannot be used, without its text', async (text, message) => {
    const error = await read(text).catch((cause: Error) => cause);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('not fine');
  });

  test('that is not there, or none, says so', async () => {
    await expect(readApiKeyFile(join(folder, 'nowhere'), () => {})).rejects.toThrow('cannot read it (ENOENT)');
    await expect(readApiKeyFile(folder, () => {})).rejects.toThrow('cannot read it (EISDIR)');
  });
});
