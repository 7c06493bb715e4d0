import { readFileSync } from 'node:fs';
import type { ChatMessage } from '@kvasir/interfaces';

/** Golden values of one model, see `packages/testing/goldens/README.md`. */
export interface Goldens {
  readonly texts: readonly { text: string; ids: number[]; ids_plain: number[]; decoded: string }[];
  readonly chats: readonly { messages: ChatMessage[]; text: string; ids: number[] }[];
}

export function readGoldens(name: 'smollm2' | 'gemma3'): Goldens {
  return JSON.parse(readFileSync(new URL(`../../../testing/goldens/${name}.json`, import.meta.url), 'utf8'));
}

/** Golden token ids of the encoder. */
export function readGoldenEmbeddings(): {
  readonly texts: readonly { text: string; num_tokens: number; ids: number[] }[];
} {
  return JSON.parse(readFileSync(new URL(`../../../testing/goldens/minilm-l6-v2.json`, import.meta.url), 'utf8'));
}

/** Path of a model's files from the environment; says on stderr what is skipped without it. */
export function modelPath(
  variable: 'KVASIR_TEST_SMOLLM2' | 'KVASIR_TEST_GEMMA3' | 'KVASIR_TEST_MINILM',
): string | undefined {
  const path = process.env[variable];
  if (path === undefined || path === '') {
    process.stderr.write(`SKIPPED: tests on the real vocabulary need ${variable} (path of the model)\n`);
    return undefined;
  }
  return path;
}
