import type { FinishReason, OutputDelta, RequestUsage } from '@kvasir/interfaces';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toWireError } from '../error-mapping.js';
import type { Generation, PromptDelta } from '../generation.js';
import { ClientGoneError, SSE_DONE, SseStream, sseFrame } from '../http/sse-stream.js';
import type { ServerContext } from '../server-context.js';
import { toUsageBody } from '../wire/usage.js';
import { recordOutputs } from './collected-output.js';

/** What differs between the streams of the two routes. */
export interface StreamPlan {
  readonly context: Pick<ServerContext, 'options' | 'metrics'>;
  /** Sent with the first chunk. */
  readonly preamble: (first: OutputDelta) => string;
  /** Chunk of a delta, `''` when it says nothing. */
  readonly frame: (delta: PromptDelta) => string;
  /** Chunk with the usage, when asked for. */
  readonly usageFrame: ((usage: ReturnType<typeof toUsageBody>) => string) | undefined;
  /** What a prompt's usage is to the client. */
  readonly usage: (usage: RequestUsage) => RequestUsage;
}

/**
 * Answers with server-sent events. Nothing is sent before the first delta, so that whatever goes wrong until then still
 * has its status; what goes wrong later is an error event that ends the stream.
 */
export async function streamGeneration(
  request: FastifyRequest,
  reply: FastifyReply,
  generation: Generation,
  plan: StreamPlan,
): Promise<FastifyReply> {
  const deltas = generation.deltas();
  let next = await deltas.next();
  reply.hijack();
  const { options, metrics } = plan.context;
  const stream = new SseStream(reply.raw, reply.getHeaders() as Record<string, string>, {
    stallTimeoutMs: options.stallTimeoutMs,
    maxUnsentBytes: options.maxUnsentBytes,
    meters: metrics.meters,
    onDropped: () => {
      request.access.isSlow = true;
    },
  });
  const usages: RequestUsage[] = [];
  const finishReasons: FinishReason[] = [];
  let isFirst = true;
  try {
    for (; next.done !== true; next = await deltas.next()) {
      const [prompt, delta] = next.value;
      if (delta.finishReason !== undefined) {
        usages[prompt] = plan.usage(delta.usage);
        finishReasons.push(delta.finishReason);
      }
      const frames = (isFirst ? plan.preamble(delta) : '') + plan.frame(next.value);
      isFirst = false;
      if (frames !== '') stream.write(frames);
    }
    recordOutputs(request.access, usages, finishReasons);
    stream.end((plan.usageFrame?.(toUsageBody(usages)) ?? '') + SSE_DONE);
  } catch (error) {
    await deltas.return(undefined);
    if (error instanceof ClientGoneError) return reply;
    const wire = toWireError(error, request.id);
    if (wire.isInternal) request.log.error({ err: error, id: request.id }, 'stream failed');
    request.access.finish = 'error';
    request.access.errorCode = wire.body.error.code ?? undefined;
    stream.end(sseFrame(JSON.stringify(wire.body)));
  }
  return reply;
}
