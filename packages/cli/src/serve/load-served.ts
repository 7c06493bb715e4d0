import { basename } from 'node:path';
import { availableMemoryBytes, Embedder, LLM, type LoadOptions } from '@kvasir/engine';
import type { Backend, NumericMode } from '@kvasir/interfaces';
import { openModel } from '@kvasir/model';
import type { CommandContext } from '../command.js';
import { findModel, llmOptions, modelName, numberFlag } from '../commands/load-llm.js';
import { interruptible } from '../commands/shutdown.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { embedderOptions, refuseEmbeddingFlags, refuseGenerationFlags } from './embedder-flags.js';

/** An encoder, and what clients call it. */
interface NamedEmbedder {
  readonly name: string;
  readonly embedder: Embedder;
}

/** What a server serves: a language model, an encoder, or both. */
export interface Served {
  /** Name of the model that was asked for first. */
  readonly name: string;
  readonly llm: LLM | undefined;
  readonly embedding: NamedEmbedder | undefined;
}

/** Finds and loads what the flags name. The kind of the first model decides what it is. */
export function loadServed(flags: ParsedFlags, context: CommandContext, extra: Partial<LoadOptions>): Promise<Served> {
  return interruptible(async (signal) => {
    const asked = modelName(flags);
    const name = (flags.values.get('served-model-name') as string | undefined) ?? displayName(asked);
    const [{ createCpuBackend }, { path }] = await Promise.all([
      import('@kvasir/kernels-cpu'),
      findModel(asked, flags, context, signal),
    ]);
    const model = await openModel(path);
    const numThreads = numberFlag(flags, 'threads');
    const backend = createCpuBackend(numThreads === undefined ? {} : { numThreads });
    if (model.program.kind === 'encoder') {
      refuseGenerationFlags(flags, asked);
      const options = { ...embedderBasics(flags, backend, signal), ...embedderOptions(flags) };
      return { name, llm: undefined, embedding: { name, embedder: await Embedder.load({ ...options, model }) } };
    }
    // Pages of a mapped file count as available again: what both models need is counted from what there was before.
    const availableBytes = availableMemoryBytes();
    const embedding = await loadBeside(flags, context, { backend, signal, availableBytes });
    try {
      const options = { ...llmOptions(flags), backend, signal, ...extra };
      const left = availableBytes - (embedding === undefined ? 0 : sizeOf(embedding.embedder));
      const llm = await LLM.load({ ...options, model, availableMemoryBytes: () => left });
      return { name, llm, embedding };
    } catch (error) {
      await embedding?.embedder.close({ drainTimeoutMs: 0 });
      throw error;
    }
  });
}

/** Frees everything; what still runs is ended. */
export async function closeServed({ llm, embedding }: Served): Promise<void> {
  await Promise.all([llm?.close({ drainTimeoutMs: 0 }), embedding?.embedder.close({ drainTimeoutMs: 0 })]);
}

/** Requests that run or wait; of an encoder, inputs. */
export function numUnfinished({ llm, embedding }: Served): number {
  const stats = [llm?.engine.stats(), embedding?.embedder.stats()];
  return stats.reduce((sum, each) => sum + (each === undefined ? 0 : each.numRunning + each.numWaiting), 0);
}

async function loadBeside(
  flags: ParsedFlags,
  context: CommandContext,
  loading: { readonly backend: Backend; readonly signal: AbortSignal; readonly availableBytes: number },
): Promise<NamedEmbedder | undefined> {
  const asked = flags.values.get('embedding-model') as string | undefined;
  if (asked === undefined) {
    refuseEmbeddingFlags(flags);
    return undefined;
  }
  const { backend, signal, availableBytes } = loading;
  const { path } = await findModel(asked, flags, context, signal);
  const embedder = await Embedder.load({
    ...embedderBasics(flags, backend, signal),
    model: path,
    availableMemoryBytes: () => availableBytes,
  });
  return { name: displayName(asked), embedder };
}

function embedderBasics(flags: ParsedFlags, backend: Backend, signal: AbortSignal) {
  return {
    backend,
    signal,
    dtype: flags.values.get('dtype') as NumericMode,
    numThreads: numberFlag(flags, 'threads'),
  };
}

function sizeOf({ memory }: Embedder): number {
  return memory.weightBytes + memory.mappedBytes + memory.scratchBytes;
}

function displayName(model: string): string {
  return model.includes('/') || model.endsWith('.gguf') ? basename(model).replace(/\.gguf$/, '') : model;
}
