import { readFileSync } from 'node:fs';

/** Golden vectors of an encoder; `goldens/README.md` says where they come from. */
export interface GoldenEmbeddings {
  readonly sha256: string;
  readonly oracle: string;
  readonly width: number;
  readonly max_sequence_length: number;
  readonly texts: readonly {
    readonly text: string;
    /** Before the text is cut. */
    readonly num_tokens: number;
    readonly ids: readonly number[];
    readonly vector: readonly number[];
  }[];
}

/** Numbers of a vector in float32 agree with the goldens within this. */
export const GOLDEN_EMBEDDING_TOLERANCE = 1e-4;

/** Reads the golden vectors of MiniLM. */
export function readGoldenEmbeddings(): GoldenEmbeddings {
  const url = new URL('../../goldens/minilm-l6-v2.json', import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as GoldenEmbeddings;
}
