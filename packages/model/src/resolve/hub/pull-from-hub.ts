import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidArgumentError } from '@kvasir/interfaces';
import { readShardIndex } from '../../checkpoint/safetensors/read-safetensors-checkpoint.js';
import { checkDiskSpace } from '../cache/disk-space.js';
import { downloadFile } from '../http/download-file.js';
import type { PullContext, PulledFile } from '../pull-context.js';
import {
  type HubFile,
  type HubOptions,
  type HubRepository,
  hubFileUrl,
  hubHeaders,
  listHubRepository,
} from './hub-client.js';
import { selectHubFiles } from './select-files.js';

/** A model named by its repository. */
export interface HubReference {
  /** `org/name`. */
  readonly repository: string;
  /** A file's name, or a part of a GGUF name. */
  readonly file?: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** Files of a pulled model, and the one to open (`''` for the folder). */
export interface PulledModel {
  readonly entry: string;
  readonly files: readonly PulledFile[];
}

/** Downloads the files of a repository into a folder; files that are on their way there already are resumed. */
export async function pullFromHub(
  hub: HubOptions,
  reference: HubReference,
  folder: string,
  context: PullContext,
): Promise<PulledModel> {
  await mkdir(folder, { recursive: true });
  const repository = await listHubRepository(hub, reference.repository, reference.revision, context.signal);
  const selection = selectHubFiles(repository, reference.file);
  if (selection.format === 'gguf') {
    const files = await pullFiles(hub, repository, selection.files, folder, context);
    return { entry: (files[0] as PulledFile).name, files };
  }
  const settings = await pullFiles(
    hub,
    repository,
    [...selection.settings, ...(selection.index === undefined ? [] : [selection.index])],
    folder,
    context,
  );
  const weights =
    selection.index === undefined ? selection.weights : shardsOf(join(folder, selection.index.name), selection.weights);
  return { entry: '', files: [...settings, ...(await pullFiles(hub, repository, weights, folder, context))] };
}

function shardsOf(indexPath: string, available: readonly HubFile[]): HubFile[] {
  return [...new Set(readShardIndex(indexPath).values())].map((name) => {
    const file = available.find((candidate) => candidate.name === name);
    if (file !== undefined) return file;
    throw new InvalidArgumentError('model', `${basename(indexPath)} names ${name}, which the repository does not hold`);
  });
}

async function pullFiles(
  hub: HubOptions,
  repository: HubRepository,
  files: readonly HubFile[],
  folder: string,
  context: PullContext,
): Promise<PulledFile[]> {
  await checkDiskSpace(
    folder,
    files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0),
  );
  const pulled: PulledFile[] = [];
  for (const file of files) {
    // Settings keep their folder: there is more than one config.json.
    const name = file.name.endsWith('.json') ? file.name : basename(file.name);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    const { sha256 } = await downloadFile({
      url: hubFileUrl(hub, repository.id, repository.commit, file.name),
      path: join(folder, name),
      headers: hubHeaders(hub),
      ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
      ...context.download,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
      onProgress: (receivedBytes, totalBytes) =>
        context.onProgress?.({
          source: hub.endpoint,
          file: name,
          receivedBytes,
          totalBytes: totalBytes ?? file.sizeBytes,
        }),
    });
    pulled.push({ name, sha256 });
  }
  return pulled;
}
