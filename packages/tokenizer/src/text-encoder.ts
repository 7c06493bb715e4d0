import type { IdBuffer } from './id-buffer.js';

/** Turns text without special tokens into ids. */
export interface TextEncoder {
  /** Appends the ids of `text`, which is not empty and starts the input or follows a special token. */
  encode(text: string, into: IdBuffer): void;
}

/** Words up to this many UTF-16 code units are worth remembering. */
export const MAX_CACHED_WORD = 48;

/** Words a cache generation holds: a few megabytes at most. */
export const CACHED_WORDS = 8192;
