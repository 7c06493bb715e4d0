import type { LLM } from '@kvasir/engine';
import { curlLine } from '../terminal/curl-line.js';
import { version } from '../version.js';

/** What a server says of itself once it listens. Sizes in bytes, lengths in tokens. */
export interface ServeFacts {
  readonly version: string;
  readonly pid: number;
  /** Name that requests use. */
  readonly model: string;
  /** Name that the checkpoint has. */
  readonly modelName: string;
  readonly device: string;
  readonly kernelPath: string;
  readonly threads: number;
  readonly weightBytes: number;
  readonly kvCacheBytes: number;
  readonly kvCapacityTokens: number;
  /** Sequences of {@link ServeFacts.maxModelLen} tokens that the KV cache holds. */
  readonly maxConcurrency: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly url: string;
  readonly metricsUrl: string;
  readonly needsKey: boolean;
  readonly hasAdminKey: boolean;
  /** Whether {@link ServeFacts.curl} works only once `KVASIR_API_KEY` is set. */
  readonly wantsKeyInShell: boolean;
  readonly curl: string;
}

/** What {@link collectServeFacts} cannot read from the model. Keys themselves are not among it. */
export interface ServeSetting {
  readonly model: string;
  readonly url: string;
  readonly blockSize: number;
  readonly needsKey: boolean;
  readonly hasAdminKey: boolean;
  readonly isKeyInShell: boolean;
}

/** Puts together what is said of a server. */
export function collectServeFacts(
  llm: Pick<LLM, 'name' | 'limits' | 'memory' | 'device' | 'chatTemplate' | 'engine'>,
  { model, url, blockSize, needsKey, hasAdminKey, isKeyInShell }: ServeSetting,
): ServeFacts {
  const { limits, memory, device } = llm;
  const kvCapacityTokens = llm.engine.stats().numBlocks * blockSize;
  return {
    version: version(),
    pid: process.pid,
    model,
    modelName: llm.name,
    device: device.device,
    kernelPath: device.kernelPath,
    threads: device.numThreads,
    weightBytes: memory.weightBytes,
    kvCacheBytes: memory.kvCacheBytes,
    kvCapacityTokens,
    maxConcurrency: Math.round((100 * kvCapacityTokens) / limits.maxModelLen) / 100,
    maxModelLen: limits.maxModelLen,
    maxNumSeqs: limits.maxNumSeqs,
    url,
    metricsUrl: `${url}/metrics`,
    needsKey,
    hasAdminKey,
    wantsKeyInShell: needsKey && !isKeyInShell,
    curl: curlLine({ url, model, chat: llm.chatTemplate !== undefined, hasKey: needsKey }),
  };
}
