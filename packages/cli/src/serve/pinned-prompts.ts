import { readFile } from 'node:fs/promises';
import type { LLM } from '@kvasir/engine';
import type { Flag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';

/** Part of the KV cache that pins may take when some are asked for and no part is. */
const DEFAULT_SHARE = 0.25;

/** Flags about prompts whose blocks are never evicted. */
export const pinFlags: readonly Flag[] = [
  {
    kind: 'list',
    name: 'pin-prompt-file',
    placeholder: 'FILE',
    description: 'System prompt that is computed before the server is ready, and never evicted.',
  },
  {
    kind: 'number',
    name: 'max-pinned-share',
    minimum: 0,
    maximum: 0.9,
    defaultText: `${DEFAULT_SHARE} with --pin-prompt-file`,
    description: 'Part of the KV cache that pinned prompts may take.',
  },
];

/** Prompts to pin, and the room for them. */
export interface PinnedPrompts {
  readonly maxShare: number | undefined;
  readonly prompts: readonly { readonly path: string; readonly text: string }[];
}

/** @throws {@link UsageError} For a file that cannot be read, or is empty. */
export async function readPinnedPrompts({ values }: ParsedFlags): Promise<PinnedPrompts> {
  const paths = (values.get('pin-prompt-file') ?? []) as readonly string[];
  const prompts = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`--pin-prompt-file ${path}: cannot read it (${error.code ?? error.message})`);
      });
      // Editors end the last line, prompts in requests do not.
      const prompt = text.replace(/\r?\n$/, '');
      if (prompt === '') throw new UsageError(`--pin-prompt-file ${path}: it is empty, expected a system prompt`);
      return { path, text: prompt };
    }),
  );
  const share = values.get('max-pinned-share') as number | undefined;
  return { prompts, maxShare: share ?? (prompts.length > 0 ? DEFAULT_SHARE : undefined) };
}

/** Pins each under its path. */
export async function pinPrompts(llm: LLM, { prompts }: PinnedPrompts): Promise<void> {
  for (const { path, text } of prompts) await llm.pinSystemPrompt(path, text);
}
