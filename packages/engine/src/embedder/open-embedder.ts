import type { EncoderOptions, EncoderProgram } from '@kvasir/interfaces';
import { encoderProgram } from '@kvasir/model';
import { InsufficientMemoryError } from '../errors.js';
import { availableMemoryBytes } from '../memory/available-memory.js';
import { formatBytes } from '../memory/format-bytes.js';
import { openModelByName } from '../open-model-by-name.js';
import { openWithTokenizer } from '../open-with-tokenizer.js';
import {
  checkLoadOptions,
  type EmbedderLoadOptions,
  type EmbedderParts,
  settleEmbedderLimits,
} from './embedder-options.js';

/**
 * Settles limits and memory from headers alone, then loads weights and tokenizer side by side.
 * @throws `InvalidArgumentError`, `ModelKindError` and {@link InsufficientMemoryError}; nothing was loaded.
 */
export async function openEmbedder(options: EmbedderLoadOptions): Promise<EmbedderParts> {
  checkLoadOptions(options);
  options.signal?.throwIfAborted();
  const description = typeof options.model === 'string' ? await openModelByName(options.model, options) : options.model;
  const program = encoderProgram(description);
  const limits = settleEmbedderLimits(options, program.maxPositions);
  const encoder: EncoderOptions = {
    program,
    mode: options.dtype ?? 'auto',
    maxTokensPerBatch: limits.maxTokensPerBatch,
    maxSequencesPerBatch: limits.maxSequencesPerBatch,
    ...(options.numThreads === undefined ? {} : { numThreads: options.numThreads }),
  };
  const availableBytes = (options.availableMemoryBytes ?? availableMemoryBytes)();
  checkMemory(options, encoder, availableBytes);
  const [session, tokenizer] = await openWithTokenizer(description, options, (control) =>
    options.backend.openEncoder(encoder, control),
  );
  return { name: description.name, session, tokenizer, limits, isNormalized: isNormalized(program), availableBytes };
}

function isNormalized({ ops, output }: EncoderProgram): boolean {
  return ops.some((op) => op.op === 'pool' && op.out === output && op.normalize);
}

function checkMemory({ backend }: EmbedderLoadOptions, encoder: EncoderOptions, availableBytes: number): void {
  const { weightBytes, mappedBytes, scratchBytes } = backend.planEncoder(encoder);
  const neededBytes = weightBytes + mappedBytes + scratchBytes;
  if (neededBytes <= availableBytes) return;
  throw new InsufficientMemoryError(
    `the encoder needs ${formatBytes(neededBytes)} (weights ${formatBytes(weightBytes)} packed and ${formatBytes(mappedBytes)} of the file, buffers ${formatBytes(scratchBytes)}), ${formatBytes(availableBytes)} are available: free memory or lower maxTokensPerBatch`,
    neededBytes,
    availableBytes,
  );
}
