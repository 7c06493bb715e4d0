import type { DownloadOptions } from './http/download-file.js';

/** How far a pull is. */
export interface PullProgress {
  /** Where the bytes come from. */
  readonly source: string;
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
}

/** What every source of a pull is handed. */
export interface PullContext {
  readonly signal?: AbortSignal;
  /** Called for each piece of a file that has arrived. */
  readonly onProgress?: (progress: PullProgress) => void;
  /** Retries and time limits of HTTP downloads. */
  readonly download?: Pick<DownloadOptions, 'maxAttempts' | 'retryDelayMs' | 'responseTimeoutMs' | 'stallTimeoutMs'>;
}

/** A file that a pull has put in place. */
export interface PulledFile {
  readonly name: string;
  readonly sha256: string;
}
