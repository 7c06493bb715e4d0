import { readFile } from 'node:fs/promises';
import { type ApiKey, checkServerOptions, type KvasirServer, type TlsOptions } from '@kvasir/server';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';
import { parseApiKey, readApiKeyFile, requireOneNameEach } from './api-keys.js';
import { readSecretFile } from './secret-file.js';

/** Keys of clients, and certificate and key of the server. */
export interface ServeSecrets {
  readonly apiKeys: readonly ApiKey[];
  readonly tls: TlsOptions | undefined;
}

/** Reads a server's secrets from where its flags say, at start and again when they have changed. It keeps none, and warns once. */
export class SecretSource {
  readonly #flags: ParsedFlags;
  readonly #warn: (message: string) => void;

  constructor(flags: ParsedFlags, warn: (message: string) => void) {
    this.#flags = flags;
    const said = new Set<string>();
    this.#warn = (message) => {
      if (said.has(message)) return;
      said.add(message);
      warn(message);
    };
  }

  /** Whether anything comes from a file, which may change. */
  get hasFiles(): boolean {
    return ['api-key-file', 'tls-cert'].some((name) => this.#flags.values.has(name));
  }

  /** @throws {@link UsageError} For what cannot be read or used; the message holds no secret. */
  async read(): Promise<ServeSecrets> {
    const [apiKeys, tls] = await Promise.all([this.#readApiKeys(), this.#readTls()]);
    return { apiKeys, tls };
  }

  /**
   * Gives a running server what the files say now; running requests and open connections go on.
   * @throws {@link UsageError} When they cannot be used; then nothing has changed.
   */
  async refresh(server: KvasirServer): Promise<ServeSecrets> {
    const secrets = await this.read();
    if (secrets.apiKeys.length > 0) server.setApiKeys(secrets.apiKeys);
    if (secrets.tls !== undefined) server.setTls(secrets.tls);
    return secrets;
  }

  async #readApiKeys(): Promise<readonly ApiKey[]> {
    const given = (this.#flags.values.get('api-key') ?? []) as readonly string[];
    const path = this.#text('api-key-file');
    const keys = [
      ...given.map((text) => parseApiKey(text, '--api-key')),
      ...(path === undefined ? [] : await readApiKeyFile(path, this.#warn)),
    ];
    requireOneNameEach(keys);
    return keys;
  }

  async #readTls(): Promise<TlsOptions | undefined> {
    const [cert, key, ca] = [this.#text('tls-cert'), this.#text('tls-key'), this.#text('tls-ca')];
    if (cert === undefined && key === undefined && ca === undefined) return undefined;
    if (cert === undefined || key === undefined) {
      throw new UsageError('--tls-cert and --tls-key belong together, got one of them or --tls-ca alone; give both');
    }
    const tls: TlsOptions = {
      cert: await readPublicFile('--tls-cert', cert),
      key: await readSecretFile('--tls-key', key, this.#warn),
      ...(ca === undefined ? {} : { ca: await readPublicFile('--tls-ca', ca) }),
    };
    try {
      checkServerOptions({ tls });
    } catch (cause) {
      const authorities = ca === undefined ? '' : `, --tls-ca ${ca}`;
      throw new UsageError(`--tls-cert ${cert}, --tls-key ${key}${authorities}: ${(cause as Error).message}`);
    }
    return tls;
  }

  #text(name: string): string | undefined {
    return this.#flags.values.get(name) as string | undefined;
  }
}

function readPublicFile(flag: string, path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${flag} ${path}: cannot read it (${error.code}); correct the path or its permissions`);
  });
}
