import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../src/commands/serve.js';
import { closestName, editDistance } from '../src/flags/closest-name.js';
import { environmentName, type Flag } from '../src/flags/flag.js';
import { renderHelp } from '../src/flags/help.js';
import { nameFlags } from '../src/flags/name-flags.js';
import { parseFlags } from '../src/flags/parse-flags.js';

const flags: readonly Flag[] = [
  { kind: 'string', name: 'model', description: 'A model.', default: 'tiny' },
  { kind: 'integer', name: 'port', description: 'A port.', minimum: 0, maximum: 65_535, default: 8000 },
  { kind: 'size', name: 'kv-cache-memory-bytes', description: 'Memory.', minimum: 1 },
  { kind: 'choice', name: 'dtype', description: 'Mode.', choices: ['auto', 'float32'], default: 'auto' },
  { kind: 'boolean', name: 'offline', description: 'No network.', default: false },
  { kind: 'list', name: 'origin', aliases: ['allowed-origin'], placeholder: 'URL', description: 'An origin.' },
  { kind: 'string', name: 'config', description: 'A file.' },
];

const parse = (argv: string[], environment: NodeJS.ProcessEnv = {}) => parseFlags(argv, flags, environment, 1);

describe('the command line', () => {
  test('gives values by name, and defaults where nothing was said', async () => {
    const { values, positionals, given } = await parse(['m.gguf', '--port', '9000', '--dtype=float32', '--offline']);
    expect(positionals).toEqual(['m.gguf']);
    expect(Object.fromEntries(values)).toEqual({ model: 'tiny', port: 9000, dtype: 'float32', offline: true });
    expect([...given].sort()).toEqual(['dtype', 'offline', 'port']);
  });

  test('accepts underscores for dashes and --no- for booleans', async () => {
    const { values } = await parse(['--kv_cache_memory_bytes', '512M', '--no-offline']);
    expect(values.get('kv-cache-memory-bytes')).toBe(512 * 2 ** 20);
    expect(values.get('offline')).toBe(false);
  });

  test('sizes take powers of 1000 in lower case and of 1024 in upper case', async () => {
    expect((await parse(['--kv-cache-memory-bytes', '2g'])).values.get('kv-cache-memory-bytes')).toBe(2e9);
    expect((await parse(['--kv-cache-memory-bytes', '1.5G'])).values.get('kv-cache-memory-bytes')).toBe(1.5 * 2 ** 30);
  });

  test('a list grows each time, and splits nothing at commas', async () => {
    const { values } = await parse(['--origin', 'a,b', '--origin=c', '--allowed_origin', 'd']);
    expect(values.get('origin')).toEqual(['a,b', 'c', 'd']);
  });

  test.each([
    [['--orign', 'a'], 'unknown flag --orign; did you mean --origin?'],
    [['--origin'], '--origin: expected a value, got none'],
    [['--origin', ' '], '--origin: expected a value, got an empty string'],
    [['--prot', '1'], 'unknown flag --prot; did you mean --port?'],
    [['--xyzzyplugh'], 'unknown flag --xyzzyplugh; see --help'],
    [['-q'], 'unknown flag -q; see --help'],
    [['--port'], '--port: expected a value, got none'],
    [['--port', 'http'], "--port: expected a whole number from 0 to 65535, got 'http'"],
    [['--port', '65536'], "--port: expected a whole number from 0 to 65535, got '65536'"],
    [['--port', '-1'], "--port: expected a whole number from 0 to 65535, got '-1'"],
    [['--port', '80.5'], "--port: expected a whole number from 0 to 65535, got '80.5'"],
    [['--dtype', 'bfloat16'], "--dtype: expected one of auto, float32, got 'bfloat16'"],
    [['--offline=maybe'], "--offline: expected true or false, got 'maybe'"],
    [['--model='], '--model: expected a value, got an empty string'],
    [
      ['--kv-cache-memory-bytes', '12Q'],
      "--kv-cache-memory-bytes: expected a whole number of at least 1, such as 536870912 or 512M, got '12Q'",
    ],
    [['a', 'b'], "unexpected argument 'b'"],
    [['--config', '/nowhere.yaml'], '--config /nowhere.yaml: cannot read it (ENOENT)'],
  ])('refuses %j', async (argv, message) => {
    await expect(parse(argv)).rejects.toMatchObject({ code: 'ERR_USAGE', message });
  });
});

describe('other sources', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-flags-'));
  const config = (text: string) => {
    const path = join(folder, 'serve.yaml');
    writeFileSync(path, text);
    return path;
  };

  test('the command line beats the environment, which beats the config file', async () => {
    const path = config('port: 1\ndtype: float32\nkv_cache_memory_bytes: 64M\noffline: true\n');
    const { values } = await parse(['--config', path, '--port', '3'], { KVASIR_PORT: '2', KVASIR_DTYPE: 'auto' });
    expect(Object.fromEntries(values)).toMatchObject({
      port: 3,
      dtype: 'auto',
      offline: true,
      'kv-cache-memory-bytes': 64 * 2 ** 20,
    });
  });

  test.each(serve.help.flags.filter(({ name }) => name !== 'config'))(
    '--$name of serve has a variable and a key',
    async (flag) => {
      const integer = `${flag.kind === 'integer' ? Math.min(32, flag.maximum ?? 32) : 32}`;
      const texts = { string: 'text', list: 'text', integer, size: '8M', number: '0.5', boolean: 'true' };
      const text = flag.kind === 'choice' ? flag.choices.at(-1)! : texts[flag.kind];
      const expected = (await parseFlags([`--${flag.name}=${text}`], serve.help.flags, {}, 1)).values.get(flag.name);
      const variable = environmentName(flag);
      const fromVariable = await parseFlags([], serve.help.flags, { [variable]: text }, 1);
      expect(fromVariable.values.get(flag.name)).toEqual(expected);
      const path = config(`${flag.name}: ${text}\n`);
      const fromFile = await parseFlags(['--config', path], serve.help.flags, {}, 1);
      expect(fromFile.values.get(flag.name)).toEqual(expected);
      expect(fromFile.given.has(flag.name)).toBe(true);
    },
  );

  test('a list is one a line of a variable, and a list or one text of a file; the nearer source replaces it', async () => {
    const origins = async (argv: string[], environment: NodeJS.ProcessEnv, text: string) =>
      (await parse([...argv, '--config', config(text)], environment)).values.get('origin');
    expect(await origins([], {}, 'origin: [a, "b,c"]\n')).toEqual(['a', 'b,c']);
    expect(await origins([], {}, 'allowed_origin: a\n')).toEqual(['a']);
    expect(await origins([], { KVASIR_ORIGIN: 'd\n e,f\n\n' }, 'origin: a\n')).toEqual(['d', 'e,f']);
    expect(await origins(['--origin', 'g'], { KVASIR_ORIGIN: 'd' }, 'origin: a\n')).toEqual(['g']);
  });

  test('an empty environment variable says nothing', async () => {
    expect((await parse([], { KVASIR_PORT: '' })).values.get('port')).toBe(8000);
  });

  test.each([
    ['prot: 1', "unknown key 'prot'; did you mean 'port'?"],
    ['- 1', 'expected a mapping of flag names to values at the top level'],
    ['origin: [[a]]', "'origin' must be a string or a list of strings that is not empty"],
    ['origin: []', "'origin' must be a string or a list of strings that is not empty"],
    ['config: x', "unknown key 'config'"],
    ['port: [1]', "'port' must be a string, a number or a boolean"],
    ['port: many', "expected a whole number from 0 to 65535, got 'many'"],
    ['port: "1', 'not valid YAML'],
  ])('refuses the config %j', async (text, message) => {
    await expect(parse(['--config', config(text)])).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a bad environment variable is named', async () => {
    await expect(parse([], { KVASIR_PORT: 'x' })).rejects.toThrow(
      "KVASIR_PORT: expected a whole number from 0 to 65535, got 'x'",
    );
  });
});

test('distance counts insertions, deletions and substitutions', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('', 'abc')).toBe(3);
  expect(closestName('serv', ['serve', 'pull'])).toBe('serve');
  expect(closestName('quux', ['serve', 'pull'])).toBeUndefined();
});

test('messages of the engine name flags', () => {
  expect(
    nameFlags('kvCacheMemoryBytes is 1: raise kvCacheMemoryBytes, not mykvCacheMemoryBytes, or --dtype', flags),
  ).toBe('--kv-cache-memory-bytes is 1: raise --kv-cache-memory-bytes, not mykvCacheMemoryBytes, or --dtype');
  expect(nameFlags('model x was made for a port', flags)).toBe('model x was made for a port');
});

test('help shows every flag with its default and its variable', () => {
  const text = renderHelp({ usage: 'kvasir x', summary: 'Does x.', flags });
  for (const flag of flags) expect(text).toContain(`--${flag.name}`);
  expect(text).toContain('KVASIR_KV_CACHE_MEMORY_BYTES');
  expect(text).toMatch(/A port\. Default: 8000\./);
  expect(text).toMatch(/--origin URL +An origin\. May be repeated\. Also --allowed-origin\./);
});
