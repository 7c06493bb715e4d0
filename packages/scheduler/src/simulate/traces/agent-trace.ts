import { Random } from '../random.js';
import type { Arrivals } from './arrivals.js';
import { createTrace, TRACE_VOCAB_SIZE, type Trace, type TraceRequest } from './trace.js';

/** What {@link agentTrace} draws. */
export interface AgentTraceOptions {
  readonly numSessions: number;
  /** Of sessions. */
  readonly arrivals: Arrivals;
  /** Kinds of agent; sessions of one kind begin with the same system prompt. Default 3. */
  readonly numAgents?: number;
  /** Default 1,500. */
  readonly systemPromptTokens?: number;
  /** Requests a session, on average. Default 6. */
  readonly meanTurns?: number;
  /** Tokens that a tool or user adds before each turn, on average. Default 220. */
  readonly meanTurnTokens?: number;
  /** Default 90. */
  readonly meanOutputTokens?: number;
  /** From one turn's arrival to the next one's, on average: the answer and the tool's work. Default 8 s. */
  readonly meanTurnMs?: number;
  readonly seed?: number;
  readonly vocabSize?: number;
}

/** Sessions whose every turn sends the whole history again, under a few system prompts: most of each prompt was seen before. */
export function agentTrace(options: AgentTraceOptions): Trace {
  const { numSessions, arrivals, numAgents = 3, systemPromptTokens = 1500, meanTurns = 6 } = options;
  const { meanTurnTokens = 220, meanOutputTokens = 90, meanTurnMs = 8000, vocabSize = TRACE_VOCAB_SIZE } = options;
  const random = new Random(options.seed ?? 0);
  const length = (mean: number) => Math.max(1, Math.round(random.logNormal(mean, 0.7)));
  const systems = Array.from({ length: numAgents }, () => random.tokenIds(systemPromptTokens, vocabSize));
  const requests: TraceRequest[] = [];
  let startMs = 0;
  for (let session = 0; session < numSessions; session++) {
    startMs += arrivals(random);
    const tenant = `agent-${session % numAgents}`;
    let history = systems[session % numAgents] as Int32Array;
    let arrivalMs = startMs;
    const numTurns = 1 + Math.floor(random.exponential(meanTurns - 1));
    for (let turn = 0; turn < numTurns; turn++) {
      const promptTokenIds = concatenate(history, random.tokenIds(length(meanTurnTokens), vocabSize));
      const outputTokenIds = random.tokenIds(length(meanOutputTokens), vocabSize);
      requests.push({ arrivalMs, promptTokenIds, outputTokenIds, tenant });
      history = concatenate(promptTokenIds, outputTokenIds);
      arrivalMs += random.exponential(meanTurnMs);
    }
  }
  return createTrace(requests);
}

function concatenate(head: Int32Array, tail: Int32Array): Int32Array {
  const joined = new Int32Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
