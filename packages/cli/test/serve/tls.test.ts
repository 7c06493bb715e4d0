import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { type CertificatePair, selfSignedCertificate } from '@kvasir/testing';
import { beforeAll, expect, test } from 'vitest';
import { askSecurely, shakeHands } from '../support/secure-client.js';
import { spawnKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const folder = temporaryFolder();
const tiny = join(folder, 'tiny.gguf');
beforeAll(() => writeTinyModel(tiny));

/** Writes a pair where only its owner reads it. */
function writePair(name: string, { cert, key }: CertificatePair) {
  const paths = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(paths.cert, cert);
  writeFileSync(paths.key, key, { mode: 0o600 });
  return paths;
}
const serve = (argv: readonly string[]) => spawnKvasir(['serve', tiny, '--port', '0', ...argv]);
const body = { prompt: 'abc', max_tokens: 40, ignore_eos: true };

test('answers and streams over TLS 1.2 and 1.3, connections are kept alive, and plain HTTP gets nothing', async () => {
  const pair = selfSignedCertificate('first');
  const { cert, key } = writePair('plain', pair);
  const server = serve(['--ssl-certfile', cert, '--ssl-keyfile', key]);
  const { url, curl } = await server.ready();
  expect([url, curl]).toEqual([expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/), expect.stringContaining(url)]);
  const { port } = new URL(url);
  const ca = pair.cert;
  expect(await shakeHands(Number(port), { ca, maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
  expect(await shakeHands(Number(port), { ca })).toBe('TLSv1.3');
  await expect(shakeHands(Number(port), { ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
  await expect(shakeHands(Number(port), {})).rejects.toThrow(/self.signed/);
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const whole = await askSecurely(`${url}/v1/completions`, { ca, agent }, body);
  expect([whole.status, JSON.parse(whole.text).choices[0].finish_reason]).toEqual([200, 'length']);
  const stream = await askSecurely(`${url}/v1/completions`, { ca, agent }, { ...body, stream: true });
  expect(stream).toMatchObject({ status: 200, isReused: true, server: 'first' });
  expect(stream.text.match(/^data: \{/gm)!.length).toBeGreaterThan(30);
  expect(stream.numChunks).toBeGreaterThan(3);
  expect(stream.text).toMatch(/data: \[DONE\]\n\n$/);
  agent.destroy();
  expect(server.stderr).toBe('');
});

test('asks clients for a certificate of its authorities', async () => {
  const pair = selfSignedCertificate('server');
  const client = selfSignedCertificate('client');
  const { cert, key } = writePair('mutual', pair);
  const { cert: ca } = writePair('client', client);
  const { url } = await serve(['--tls-cert', cert, '--tls-key', key, '--tls-ca', ca]).ready();
  expect((await askSecurely(`${url}/health`, { ca: pair.cert, cert: client.cert, key: client.key })).status).toBe(200);
  await expect(askSecurely(`${url}/health`, { ca: pair.cert })).rejects.toThrow();
  const stranger = selfSignedCertificate('stranger');
  await expect(
    askSecurely(`${url}/health`, { ca: pair.cert, cert: stranger.cert, key: stranger.key }),
  ).rejects.toThrow();
});

test('SIGHUP reads the certificate again: running streams go on, one that is wrong changes nothing', async () => {
  const first = selfSignedCertificate('first');
  const second = selfSignedCertificate('second');
  const { cert, key } = writePair('reload', first);
  const server = serve(['--tls-cert', cert, '--tls-key', key]);
  const { url } = await server.ready();
  const stream = askSecurely(`${url}/v1/completions`, { ca: first.cert }, { ...body, max_tokens: 400, stream: true });
  writePair('reload', { cert: second.cert, key: first.key });
  server.kill('SIGHUP');
  await server.said(/^\{"event":"reload_failed".*key values mismatch.*\}$/m);
  expect(await askSecurely(`${url}/health`, { ca: first.cert })).toMatchObject({ status: 200, server: 'first' });
  writePair('reload', second);
  server.kill('SIGHUP');
  await server.said(/^\{"event":"reloaded".*"tls":true\}$/m);
  expect(await askSecurely(`${url}/health`, { ca: second.cert })).toMatchObject({ status: 200, server: 'second' });
  expect((await stream).text).toMatch(/data: \[DONE\]\n\n$/);
});

test('what cannot be used is refused at once, naming the files', async () => {
  const one = writePair('one', selfSignedCertificate());
  const two = writePair('two', selfSignedCertificate());
  const refused = async (...argv: string[]) => {
    const { code, stdout, stderr } = await serve(argv).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };
  expect(await refused('--tls-cert', one.cert, '--tls-key', two.key)).toMatch(
    new RegExp(
      `^kvasir serve: --tls-cert ${one.cert}, --tls-key ${two.key}: certificate and key cannot be used \\(.*key values mismatch\\), expected PEM files that belong together\\n$`,
    ),
  );
  expect(await refused('--tls-cert', one.cert)).toBe(
    'kvasir serve: --tls-cert and --tls-key belong together, got one of them or --tls-ca alone; give both\n',
  );
  expect(await refused('--tls-cert', one.cert, '--tls-key', '/nowhere.key')).toBe(
    'kvasir serve: --tls-key /nowhere.key: cannot read it (ENOENT); correct the path or its permissions\n',
  );
  expect(await refused('--tls-cert', tiny, '--tls-key', one.key)).toContain('expected PEM files');
});
