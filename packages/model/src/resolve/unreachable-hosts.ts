import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const REMEMBER_MS = 10 * 60_000;

/** Remembers for ten minutes, across processes, which hosts did not answer, so that a closed network costs the wait once. */
export class UnreachableHosts {
  readonly #path: string;

  constructor(cacheFolder: string) {
    this.#path = join(cacheFolder, 'unreachable.json');
  }

  async has(endpoint: string): Promise<boolean> {
    return ((await this.#read())[endpoint] ?? 0) > Date.now();
  }

  async add(endpoint: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFile(this.#path, JSON.stringify({ ...(await this.#read()), [endpoint]: Date.now() + REMEMBER_MS }));
  }

  async #read(): Promise<Record<string, number>> {
    try {
      const hosts: unknown = JSON.parse(await readFile(this.#path, 'utf8'));
      return typeof hosts === 'object' && hosts !== null ? (hosts as Record<string, number>) : {};
    } catch {
      return {};
    }
  }
}
