import { UnsupportedError } from '@kvasir/interfaces';
import { DownloadError } from '../../errors.js';
import { request } from '../http/request.js';

const MAX_LISTING_BYTES = 32 << 20;

/** A file of a hub repository. */
export interface HubFile {
  readonly name: string;
  readonly sizeBytes?: number;
  /** Known for large files. */
  readonly sha256?: string;
}

/** A repository at one commit. */
export interface HubRepository {
  readonly id: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** Where the hub is and who asks. */
export interface HubOptions {
  readonly endpoint: string;
  readonly token?: string;
}

/** Reads `HF_ENDPOINT` and `HF_TOKEN`. */
export function hubOptions(env: NodeJS.ProcessEnv): HubOptions {
  const endpoint = (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
  return env['HF_TOKEN'] ? { endpoint, token: env['HF_TOKEN'] } : { endpoint };
}

/** Headers that identify the caller to the hub. */
export function hubHeaders({ token }: HubOptions): Record<string, string> {
  return { 'user-agent': 'kvasir', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
}

/** URL of a file's content. */
export function hubFileUrl({ endpoint }: HubOptions, repository: string, revision: string, file: string): string {
  return `${endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${file.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * Lists a repository at a revision, and which commit that is.
 * @throws {@link DownloadError} With the status when it is missing or may not be read.
 */
export async function listHubRepository(
  hub: HubOptions,
  repository: string,
  revision: string,
  signal?: AbortSignal,
): Promise<HubRepository> {
  const url = `${hub.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await request(url, {
    headers: hubHeaders(hub),
    timeoutMs: 8_000,
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new DownloadError(url, hubProblem(hub, repository, revision, response.status), { status: response.status });
  }
  return parseListing(url, repository, await readText(url, response.body));
}

function hubProblem({ endpoint, token }: HubOptions, repository: string, revision: string, status: number): string {
  const page = `${endpoint}/${repository}`;
  if (status === 401) {
    // The hub answers 401 for a repository that does not exist, too, so as not to tell.
    return `got HTTP 401: no such repository, or it is private${token === undefined ? '; set HF_TOKEN' : ' and HF_TOKEN may not read it'}`;
  }
  if (status === 403)
    return `got HTTP 403: access is gated; accept the terms on ${page} and set HF_TOKEN to a token of that account`;
  if (status === 404) return `got HTTP 404: no repository '${repository}' with a revision '${revision}'`;
  return `got HTTP ${status}`;
}

async function readText(url: string, body: ReadableStream<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > MAX_LISTING_BYTES)
      throw new DownloadError(url, `the listing is larger than ${MAX_LISTING_BYTES} bytes`, { status: 200 });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseListing(url: string, id: string, text: string): HubRepository {
  try {
    const { sha, siblings } = JSON.parse(text) as {
      sha: unknown;
      siblings: { rfilename: unknown; size?: unknown; lfs?: { sha256?: unknown } | null }[];
    };
    if (typeof sha !== 'string' || !/^[0-9a-f]{7,64}$/.test(sha)) throw new Error('no commit');
    const files = siblings.map(({ rfilename, size, lfs }) => {
      if (typeof rfilename !== 'string' || !isSafeName(rfilename))
        throw new Error(`file name ${JSON.stringify(rfilename)}`);
      return {
        name: rfilename,
        ...(typeof size === 'number' ? { sizeBytes: size } : {}),
        ...(typeof lfs?.sha256 === 'string' ? { sha256: lfs.sha256 } : {}),
      };
    });
    return { id, commit: sha, files };
  } catch (cause) {
    throw new DownloadError(url, `the listing is not one of a model repository: ${(cause as Error).message}`, {
      status: 200,
      cause,
    });
  }
}

function isSafeName(name: string): boolean {
  return (
    name !== '' &&
    !name.startsWith('/') &&
    !name.includes('\\') &&
    !name.includes('\0') &&
    !name.split('/').includes('..')
  );
}

/** @throws `UnsupportedError` Saying that a repository holds pickle files alone. */
export function refusePickleOnly(repository: HubRepository): void {
  const pickle = repository.files.find(({ name }) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (pickle === undefined) return;
  const problem = `${repository.id} holds ${pickle.name} but no safetensors or GGUF; pickle files can run code and are not read`;
  throw new UnsupportedError('pickle checkpoints', problem);
}
