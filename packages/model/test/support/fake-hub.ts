import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

/** How the hub misbehaves; each entry is used up by one request for content. */
export type Fault =
  | { readonly kind: 'break'; readonly afterBytes: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  | { readonly kind: 'stall'; readonly afterBytes: number };

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A hub on loopback that serves one repository, `org/model`, and redirects content to a second origin as the real one does. */
export class FakeHub {
  readonly files = new Map<string, Buffer>();
  readonly faults: Fault[] = [];
  /** Every request as `METHOD /path range`. */
  readonly log: string[] = [];
  /** Headers that each request for content carried. */
  readonly contentHeaders: IncomingMessage['headers'][] = [];
  /** Set by the test's own `onProgress`. */
  clientReceived = 0;
  /** Size that content is said to have, where it differs. */
  declaredBytes: number | undefined;
  /** Settled when a client has left in the middle of content. */
  readonly abandoned: Promise<void>;
  supportsRanges = true;
  sendsEtag = true;
  sendsChecksums = true;
  token: string | undefined;
  listingStatus = 200;
  readonly #servers: Server[] = [];
  #onAbandoned: () => void = () => {};
  #endpoint = '';
  #store = '';

  constructor() {
    this.abandoned = new Promise((resolve) => {
      this.#onAbandoned = resolve;
    });
  }

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    hub.#store = await hub.#listen((request, response) => hub.#serveContent(request, response));
    hub.#endpoint = await hub.#listen((request, response) => hub.#serveHub(request, response));
    afterEach(() => hub.stop());
    return hub;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
  }

  async #listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(handler);
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  #serveHub(request: IncomingMessage, response: ServerResponse): ServerResponse {
    const { pathname } = new URL(request.url ?? '', this.#endpoint);
    this.log.push(`GET ${pathname}`);
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`)
      return response.writeHead(401).end();
    if (pathname.startsWith('/api/models/')) return this.#list(pathname, response);
    const name = decodeURIComponent(/\/resolve\/[^/]+\/(.*)$/.exec(pathname)?.[1] ?? '');
    const content = this.files.get(name);
    if (content === undefined) return response.writeHead(404).end();
    const linked = this.sendsChecksums ? { 'x-linked-etag': `"${sha256(content)}"` } : {};
    return response
      .writeHead(302, {
        location: `${this.#store}/store/${encodeURIComponent(name)}`,
        'x-repo-commit': COMMIT,
        ...linked,
      })
      .end();
  }

  #list(pathname: string, response: ServerResponse): ServerResponse {
    if (this.listingStatus !== 200) return response.writeHead(this.listingStatus).end();
    if (!pathname.startsWith('/api/models/org/model/revision/')) return response.writeHead(404).end();
    const siblings = [...this.files].map(([rfilename, content]) => ({
      rfilename,
      size: content.length,
      ...(this.sendsChecksums ? { lfs: { sha256: sha256(content), size: content.length } } : {}),
    }));
    return response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ sha: COMMIT, siblings }));
  }

  #serveContent(request: IncomingMessage, response: ServerResponse): ServerResponse {
    const name = decodeURIComponent((request.url ?? '').replace('/store/', ''));
    const content = this.files.get(name) as Buffer;
    this.log.push(`CONTENT ${name} ${request.headers.range ?? ''}`.trim());
    this.contentHeaders.push(request.headers);
    const fault = this.faults.shift();
    if (fault?.kind === 'status') return response.writeHead(fault.status, fault.headers).end();
    const start = this.supportsRanges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    if (start > 0 && start >= content.length)
      return response.writeHead(416, { 'content-range': `bytes */${content.length}`, ...this.#etag(content) }).end();
    const body = content.subarray(start);
    const range = start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {};
    response.on('close', () => response.writableFinished || this.#onAbandoned());
    const length = this.declaredBytes ?? body.length;
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': length, ...this.#etag(content), ...range });
    if (fault === undefined) return response.end(body);
    response.flushHeaders();
    response.write(body.subarray(0, fault.afterBytes));
    if (fault.kind === 'break') this.#breakWhenReceived(start + fault.afterBytes, response);
    return response;
  }

  /** Breaks only what the client has taken in: a stream that fails drops the chunks nobody has read yet. */
  #breakWhenReceived(bytes: number, response: ServerResponse): void {
    const poll = setInterval(() => {
      if (this.clientReceived < bytes && !response.destroyed) return;
      clearInterval(poll);
      response.destroy();
    }, 2);
  }

  #etag(content: Buffer): Record<string, string> {
    return this.sendsEtag ? { etag: `"${sha256(content).slice(0, 20)}"` } : {};
  }
}
