import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnKvasir } from './support/spawn-kvasir.js';
import { temporaryFolder } from './support/temporary-folder.js';

const folder = temporaryFolder();

/** A hub that takes requests and never answers. */
let hub: Server;
beforeAll(async () => {
  hub = createServer(() => {});
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
});
afterAll(() => {
  hub.closeAllConnections();
  hub.close();
});

test.each([
  ['pull', 'SIGINT', 130, 'kvasir pull: interrupted by SIGINT\n'],
  ['pull', 'SIGTERM', 143, 'kvasir pull: interrupted by SIGTERM\n'],
  ['generate', 'SIGINT', 130, 'kvasir generate: interrupted by SIGINT\n'],
  ['serve', 'SIGTERM', 0, ''],
] as const)('%s ends with %s while it fetches a model, and leaves no lock', async (command, signal, code, stderr) => {
  const cache = join(folder, `${command}-${signal}`);
  const endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  const asked = once(hub, 'request');
  const running = spawnKvasir([command, 'org/model'], {
    environment: { KVASIR_CACHE: cache, HF_ENDPOINT: endpoint, HF_HUB_OFFLINE: '' },
    input: 'a prompt',
  });
  await asked;
  running.kill(signal);
  expect(await running.ended).toEqual({ code, stdout: '', stderr });
  expect(readdirSync(join(cache, 'locks'))).toEqual([]);
});
