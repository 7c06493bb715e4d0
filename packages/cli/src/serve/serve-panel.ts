import { formatBytes, formatCount } from '../terminal/format.js';
import type { Style } from '../terminal/style.js';
import type { ServeFacts } from './serve-facts.js';

/** What a person reads when a server is up: a row a fact, and a `curl` line to paste. */
export function renderServePanel(facts: ServeFacts, style: Style): string {
  const rows: readonly (readonly [string, string])[] = [
    ['model', facts.model === facts.modelName ? facts.model : `${facts.model} (${facts.modelName})`],
    ['kernels', `${facts.kernelPath}, ${facts.threads} ${facts.threads === 1 ? 'thread' : 'threads'}, ${facts.device}`],
    ['weights', formatBytes(facts.weightBytes)],
    ...cacheRows(facts),
    ...embeddingRows(facts),
    ['key', describeKeys(facts)],
    ['metrics', facts.metricsUrl],
    ['listening on', facts.url],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 1;
  return [
    style.bold(`Kvasir ${facts.version}`),
    ...rows.map(([label, value]) => `${style.dim(label)}${' '.repeat(width - label.length)}${value}`),
    '',
    ...(facts.wantsKeyInShell ? ['with the key in $KVASIR_API_KEY:'] : []),
    facts.curl,
    '',
    '',
  ].join('\n');
}

function describeKeys({ needsKey, hasAdminKey }: ServeFacts): string {
  const key = needsKey ? 'needed by requests' : 'none: open to whoever reaches it';
  return `${key}${hasAdminKey ? '; admin routes with the admin key' : ''}`;
}

function cacheRows(facts: ServeFacts): readonly (readonly [string, string])[] {
  const { kvCacheBytes, kvCapacityTokens = 0, maxConcurrency = 0, maxNumSeqs = 0, maxModelLen } = facts;
  if (kvCacheBytes === undefined) return [];
  const concurrency = `${maxConcurrency.toFixed(1)} sequences of ${formatCount(maxModelLen)} tokens`;
  return [
    ['KV cache', `${formatBytes(kvCacheBytes)}, ${formatCount(kvCapacityTokens)} tokens: ${concurrency}`],
    ['context', `${formatCount(maxModelLen)} tokens, at most ${formatCount(maxNumSeqs)} sequences at once`],
  ];
}

function embeddingRows(facts: ServeFacts): readonly (readonly [string, string])[] {
  const { embeddingModel, embeddingWidth = 0, embeddingMaxModelLen = 0, embeddingWeightBytes = 0 } = facts;
  if (embeddingModel === undefined) return [];
  const vectors = `vectors of ${embeddingWidth} numbers, texts of up to ${formatCount(embeddingMaxModelLen)} tokens`;
  const isAlone = facts.kvCacheBytes === undefined;
  return [['embeddings', isAlone ? vectors : `${embeddingModel}, ${formatBytes(embeddingWeightBytes)}: ${vectors}`]];
}
