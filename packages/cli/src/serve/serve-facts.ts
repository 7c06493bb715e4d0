import type { Embedder, LLM } from '@kvasir/engine';
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
  readonly maxModelLen: number;
  /** Of a language model; absent for an encoder alone. */
  readonly kvCacheBytes?: number;
  readonly kvCapacityTokens?: number;
  /** Sequences of {@link ServeFacts.maxModelLen} tokens that the KV cache holds. */
  readonly maxConcurrency?: number;
  readonly maxNumSeqs?: number;
  /** Of the encoder, alone or beside a language model; absent without one. */
  readonly embeddingModel?: string;
  readonly embeddingWidth?: number;
  readonly embeddingMaxModelLen?: number;
  readonly embeddingWeightBytes?: number;
  readonly url: string;
  readonly metricsUrl: string;
  readonly needsKey: boolean;
  readonly hasAdminKey: boolean;
  /** Whether {@link ServeFacts.curl} works only once `KVASIR_API_KEY` is set. */
  readonly wantsKeyInShell: boolean;
  readonly curl: string;
}

/** What {@link collectServeFacts} cannot read from the models. Keys themselves are not among it. */
export interface ServeSetting {
  readonly url: string;
  readonly blockSize: number;
  readonly needsKey: boolean;
  readonly hasAdminKey: boolean;
  readonly isKeyInShell: boolean;
}

/** A language model, as far as there is something to say of it. */
type DescribedModel = Pick<LLM, 'name' | 'limits' | 'memory' | 'device' | 'chatTemplate' | 'engine'>;

/** What is served, as far as there is something to say of it. */
export interface DescribedServed {
  readonly name: string;
  readonly llm: DescribedModel | undefined;
  readonly embedding:
    | { readonly name: string; readonly embedder: Pick<Embedder, 'name' | 'limits' | 'memory' | 'device' | 'width'> }
    | undefined;
}

/** Puts together what is said of a server. */
export function collectServeFacts({ name, llm, embedding }: DescribedServed, setting: ServeSetting): ServeFacts {
  const { url, blockSize, needsKey, hasAdminKey, isKeyInShell } = setting;
  const main = (llm ?? embedding?.embedder) as DescribedModel | Pick<Embedder, 'name' | 'limits' | 'memory' | 'device'>;
  const { device, memory, limits } = main;
  const kind = llm === undefined ? 'embedding' : llm.chatTemplate === undefined ? 'text' : 'chat';
  return {
    version: version(),
    pid: process.pid,
    model: name,
    modelName: main.name,
    device: device.device,
    kernelPath: device.kernelPath,
    threads: device.numThreads,
    weightBytes: memory.weightBytes,
    maxModelLen: limits.maxModelLen,
    ...(llm === undefined ? {} : cacheFacts(llm, blockSize)),
    ...(embedding === undefined ? {} : embeddingFacts(embedding)),
    url,
    metricsUrl: `${url}/metrics`,
    needsKey,
    hasAdminKey,
    wantsKeyInShell: needsKey && !isKeyInShell,
    curl: curlLine({ url, model: name, kind, hasKey: needsKey }),
  };
}

function cacheFacts({ limits, memory, engine }: DescribedModel, blockSize: number) {
  const kvCapacityTokens = engine.stats().numBlocks * blockSize;
  return {
    kvCacheBytes: memory.kvCacheBytes,
    kvCapacityTokens,
    maxConcurrency: Math.round((100 * kvCapacityTokens) / limits.maxModelLen) / 100,
    maxNumSeqs: limits.maxNumSeqs,
  };
}

function embeddingFacts({ name, embedder }: NonNullable<DescribedServed['embedding']>) {
  return {
    embeddingModel: name,
    embeddingWidth: embedder.width,
    embeddingMaxModelLen: embedder.limits.maxModelLen,
    embeddingWeightBytes: embedder.memory.weightBytes,
  };
}
