import { KvasirError, type KvasirErrorOptions } from '@kvasir/interfaces';

/** A checkpoint contradicts itself, its format or its own sizes. Nothing was loaded. */
export class InvalidCheckpointError extends KvasirError {
  /** File at fault. */
  readonly file: string;
  /** Tensor, key or byte position inside it. */
  readonly where: string;

  constructor(file: string, where: string, problem: string, options: KvasirErrorOptions = {}) {
    super('ERR_INVALID_CHECKPOINT', `${file}: ${where}: ${problem}`, options);
    this.file = file;
    this.where = where;
  }
}

/** A model of one kind was given where the other is needed. */
export class ModelKindError extends KvasirError {
  readonly model: string;

  constructor(model: string, got: 'decoder' | 'encoder', expected: 'decoder' | 'encoder') {
    const uses = { decoder: 'a decoder, which generates text', encoder: 'an encoder, which gives embeddings' };
    super('ERR_MODEL_KIND', `model '${model}' is ${uses[got]}; expected ${uses[expected]}`);
    this.model = model;
  }
}

/** One way of getting a model that did not work. */
export interface FailedAttempt {
  /** Where it was looked for. */
  readonly source: string;
  readonly reason: string;
}

/** A model could not be had from anywhere; `attempts` says what was tried. */
export class ModelUnavailableError extends KvasirError {
  readonly model: string;
  readonly attempts: readonly FailedAttempt[];

  constructor(model: string, attempts: readonly FailedAttempt[], options: KvasirErrorOptions = {}) {
    const tried = attempts.map(({ source, reason }) => `\n  - ${source}: ${reason}`).join('');
    const hint = `\nTo use a file that is already here, pass its path instead: a .gguf file, or a folder with config.json and *.safetensors`;
    super('ERR_MODEL_UNAVAILABLE', `model '${model}' is not available. Tried:${tried}${hint}`, options);
    this.model = model;
    this.attempts = attempts;
  }
}

/** A download failed for good. A partial file is kept where it can be resumed. */
export class DownloadError extends KvasirError {
  readonly url: string;
  /** HTTP status; absent when the server was not reached or the connection broke. */
  readonly status?: number;

  constructor(url: string, problem: string, options: KvasirErrorOptions & { readonly status?: number } = {}) {
    super('ERR_DOWNLOAD', `${url}: ${problem}`, options);
    this.url = url;
    if (options.status !== undefined) this.status = options.status;
  }
}

/** Bytes arrived that are not the ones that were asked for; they were deleted. */
export class ChecksumError extends KvasirError {
  readonly expected: string;
  readonly actual: string;

  constructor(what: string, actual: string, expected: string) {
    super(
      'ERR_CHECKSUM',
      `${what}: got sha256 ${actual}, expected ${expected}. The file was deleted; try again or use another source`,
    );
    this.expected = expected;
    this.actual = actual;
  }
}

/** There is no room for a download. */
export class DiskFullError extends KvasirError {
  readonly folder: string;
  readonly neededBytes: number;
  /** Absent when a write failed before anything was known. */
  readonly freeBytes?: number;

  constructor(folder: string, neededBytes: number, freeBytes?: number, options: KvasirErrorOptions = {}) {
    const free = freeBytes === undefined ? 'the disk is full' : `${megabytes(freeBytes)} are free`;
    const hint = 'Free some space, or set KVASIR_CACHE to a folder on another disk';
    super('ERR_DISK_FULL', `${folder}: ${free}, ${megabytes(neededBytes)} more needed. ${hint}`, options);
    this.folder = folder;
    this.neededBytes = neededBytes;
    if (freeBytes !== undefined) this.freeBytes = freeBytes;
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
