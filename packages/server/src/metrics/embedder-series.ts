import type { EmbedderNumbers, ServedEmbedder, ServedEmbedderObserver } from '../served-embedder.js';
import {
  BATCH_SEQUENCE_BUCKETS,
  REQUEST_BUCKETS,
  STEP_SECONDS_BUCKETS,
  STEP_TOKEN_BUCKETS,
  tokenBuckets,
} from './buckets.js';
import type { Sample, Series } from './series.js';

type Read = (stats: EmbedderNumbers) => number;

const KVASIR_COUNTERS: readonly (readonly [string, string, Read])[] = [
  ['embedding_calls', 'Calls of the embedder; each has one input or more.', (stats) => stats.numCalls],
  ['embedding_batches', 'Batches that were encoded.', (stats) => stats.numBatches],
  [
    'embedding_failed_batches',
    'Batches that failed; their calls ended with an error.',
    (stats) => stats.numFailedBatches,
  ],
];

/**
 * The series of vLLM that apply to a model that embeds, each input being a request as it is there, and what vLLM has no name for.
 * @returns What feeds the histograms.
 */
export function addEmbedderSeries(vllm: Series, kvasir: Series, embedder: ServedEmbedder): ServedEmbedderObserver {
  vllm.gauge('num_requests_running', 'Requests in model execution batches.', () => embedder.stats().numRunning);
  vllm.gauge('num_requests_waiting', 'Requests waiting to be processed.', () => embedder.stats().numWaiting);
  vllm.counter('prompt_tokens', 'Prefill tokens processed.', () => embedder.stats().promptTokens);
  vllm.counters('request_success', 'Requests that ended, by reason.', ['finished_reason'], () =>
    Object.entries(embedder.stats().finished).map(([reason, count]): Sample => [{ finished_reason: reason }, count]),
  );
  for (const [name, help, read] of KVASIR_COUNTERS) kvasir.counter(name, help, () => read(embedder.stats()));
  kvasir.gauge(
    'embedding_tokens_waiting',
    'Tokens of inputs that wait for a batch.',
    () => embedder.stats().numWaitingTokens,
  );

  const endToEnd = vllm.histogram('e2e_request_latency_seconds', 'Arrival to end.', REQUEST_BUCKETS);
  const queue = vllm.histogram('request_queue_time_seconds', 'Time in the WAITING phase.', REQUEST_BUCKETS);
  const inference = vllm.histogram('request_inference_time_seconds', 'Time in the RUNNING phase.', REQUEST_BUCKETS);
  const { maxModelLen } = embedder.limits;
  const prompt = vllm.histogram('request_prompt_tokens', 'Prefill tokens.', tokenBuckets(maxModelLen));
  const step = vllm.histogram('iteration_tokens_total', 'Tokens per engine step.', STEP_TOKEN_BUCKETS);
  const sequences = kvasir.histogram('embedding_batch_sequences', 'Inputs of a batch.', BATCH_SEQUENCE_BUCKETS);
  const seconds = kvasir.histogram(
    'embedding_batch_seconds',
    'Submission of a batch to its result.',
    STEP_SECONDS_BUCKETS,
  );
  return {
    onBatch: ({ numSequences, numTokens, elapsedMs }) => {
      step(numTokens);
      sequences(numSequences);
      seconds(elapsedMs / 1000);
    },
    onEmbedded: ({ numTokens, queueMs, inferenceMs, endToEndMs }) => {
      prompt(numTokens);
      queue(queueMs / 1000);
      inference(inferenceMs / 1000);
      endToEnd(endToEndMs / 1000);
    },
  };
}
