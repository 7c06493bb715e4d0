import type { EmbedderLoadOptions } from '@kvasir/engine';
import type { Flag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';

/** Flags about an encoder beside the language model. */
export const embedderFlags: readonly Flag[] = [
  {
    kind: 'string',
    name: 'embedding-model',
    placeholder: 'MODEL',
    description: 'Embedding model to serve beside the language model, under this name.',
  },
];

/** Flags that say something of text generation alone. */
const GENERATION_ONLY = [
  ...['embedding-model', 'kv-cache-memory-bytes', 'host-kv-cache-memory-bytes', 'host-kv-cache-path'],
  ...['kv-cache-dtype', 'block-size', 'policy', 'tenant-weights', 'target-itl-ms', 'generation-config', 'seed'],
  ...['pin-prompt-file', 'max-pinned-share', 'max-logprobs', 'max-prompts', 'max-n', 'max-logit-bias'],
  ...['max-stop-strings', 'max-stop-length', 'trust-request-chat-template', 'template-timeout-ms', 'trace-steps'],
  ...['isolate-tenants'],
];

/** @throws {@link UsageError} For a flag that means nothing to a server of an encoder alone. */
export function refuseGenerationFlags({ given }: ParsedFlags, model: string): void {
  const name = GENERATION_ONLY.find((each) => given.has(each));
  if (name === undefined) return;
  throw new UsageError(`--${name}: ${model} is an embedding model, which generates no text; leave the flag out`);
}

/** Flags that say something of embeddings alone. */
const EMBEDDING_ONLY = ['max-embedding-inputs', 'max-embedding-tokens', 'max-input-characters'];

/** @throws {@link UsageError} For a flag that means nothing to a server without an encoder. */
export function refuseEmbeddingFlags({ given }: ParsedFlags): void {
  const name = EMBEDDING_ONLY.find((each) => given.has(each));
  if (name === undefined) return;
  throw new UsageError(`--${name}: no embedding model is served; add --embedding-model or leave the flag out`);
}

/** What the flags ask of an encoder that is served alone. */
export function embedderOptions({ given, values }: ParsedFlags): Partial<EmbedderLoadOptions> {
  const number = (name: string) => values.get(name) as number | undefined;
  return {
    maxModelLen: number('max-model-len'),
    maxSequencesPerBatch: number('max-num-seqs'),
    maxTokensPerBatch: number('max-num-batched-tokens'),
    // Its default is of requests, which hold many inputs each.
    maxQueuedInputs: given.has('max-queue') ? number('max-queue') : undefined,
  };
}
