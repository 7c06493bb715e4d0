import { LLM, type LoadOptions } from '@kvasir/engine';
import type { KvCacheDtype } from '@kvasir/interfaces';
import { type ResolvedModel, resolveModel } from '@kvasir/model';
import type { CommandContext } from '../command.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';
import { createPullReporter } from '../terminal/pull-reporter.js';
import { interruptible } from './shutdown.js';

/** Name or path of the model: the positional argument, else `--model`. */
export function modelName(flags: ParsedFlags): string {
  const [positional] = flags.positionals;
  if (positional !== undefined && flags.given.has('model') && flags.values.get('model') !== positional) {
    throw new UsageError(`the model is given twice: '${positional}' and --model '${flags.values.get('model')}'`);
  }
  return positional ?? String(flags.values.get('model'));
}

/** A number flag, or `undefined` when it was not given and has no default. */
export function numberFlag(flags: ParsedFlags, name: string): number | undefined {
  return flags.values.get(name) as number | undefined;
}

/** Finds the model (fetching it with a progress bar if need be) and loads it on the CPU backend. */
export function loadLlm(flags: ParsedFlags, context: CommandContext, extra: Partial<LoadOptions> = {}): Promise<LLM> {
  return interruptible((signal) => load(flags, context, { ...extra, signal }));
}

/** Where a model lies, fetched with a progress bar if need be. */
export async function findModel(
  name: string,
  flags: ParsedFlags,
  { stderr, environment }: CommandContext,
  signal: AbortSignal,
): Promise<ResolvedModel> {
  const offline = flags.values.get('offline') === true;
  const reporter = createPullReporter(name, stderr);
  return await resolveModel(name, { offline, env: environment, signal, ...reporter.callbacks }).finally(() =>
    reporter.close(),
  );
}

/**
 * What the flags ask of a language model.
 * @throws {@link UsageError} For one that cannot be used.
 */
export function llmOptions(flags: ParsedFlags): Omit<LoadOptions, 'model' | 'backend'> {
  const blockSize = numberFlag(flags, 'block-size') as number;
  if (blockSize % 16 !== 0) throw new UsageError(`--block-size: expected a multiple of 16, got ${blockSize}`);
  return {
    dtype: flags.values.get('dtype') as 'auto' | 'float32',
    kvCacheDtype: flags.values.get('kv-cache-dtype') as KvCacheDtype,
    maxModelLen: numberFlag(flags, 'max-model-len'),
    maxNumSeqs: numberFlag(flags, 'max-num-seqs'),
    maxNumBatchedTokens: numberFlag(flags, 'max-num-batched-tokens'),
    maxInFlight: numberFlag(flags, 'max-in-flight') as LoadOptions['maxInFlight'],
    kvCacheMemoryBytes: numberFlag(flags, 'kv-cache-memory-bytes'),
    hostKvCacheMemoryBytes: numberFlag(flags, 'host-kv-cache-memory-bytes'),
    hostKvCachePath: flags.values.get('host-kv-cache-path') as string | undefined,
    policy: flags.values.get('policy') as LoadOptions['policy'],
    tenantWeights: readWeights(flags.values.get('tenant-weights') as string | undefined),
    targetItlMs: numberFlag(flags, 'target-itl-ms'),
    blockSize,
    generationConfig: flags.values.get('generation-config') as 'auto' | 'vllm',
    seed: numberFlag(flags, 'seed'),
    numThreads: numberFlag(flags, 'threads'),
  };
}

async function load(
  flags: ParsedFlags,
  context: CommandContext,
  { signal, ...extra }: Partial<LoadOptions> & { signal: AbortSignal },
): Promise<LLM> {
  const options = llmOptions(flags);
  const [{ createCpuBackend }, { path }] = await Promise.all([
    import('@kvasir/kernels-cpu'),
    findModel(modelName(flags), flags, context, signal),
  ]);
  const { numThreads } = options;
  const backend = createCpuBackend(numThreads === undefined ? {} : { numThreads });
  return LLM.load({ ...options, model: path, backend, signal, ...extra });
}

/** `a=3,b=1`: a share by tenant. */
function readWeights(text: string | undefined): Readonly<Record<string, number>> | undefined {
  if (text === undefined) return undefined;
  const entries = text.split(',').map((part): [string, number] => {
    const at = part.lastIndexOf('=');
    const weight = at < 1 ? Number.NaN : Number(part.slice(at + 1).trim() || Number.NaN);
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new UsageError(`--tenant-weights: expected NAME=WEIGHT with weights above 0, got '${part}'`);
    }
    return [part.slice(0, at).trim(), weight];
  });
  return Object.fromEntries(entries);
}
