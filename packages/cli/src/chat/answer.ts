import type { CallOptions, LLM, SamplingOptions } from '@kvasir/engine';
import type { ChatMessage, FinishReason } from '@kvasir/interfaces';

/** The part of an `LLM` that a chat uses. */
export type ChatModel = Pick<LLM, 'chat' | 'name' | 'limits'>;

/** What came back for one question. */
export interface Answer {
  readonly text: string;
  /** `undefined` when it was stopped. */
  readonly finishReason: FinishReason | undefined;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly firstTokenMs: number;
  /** After the first token; `undefined` for an answer of one. */
  readonly tokensPerSecond: number | undefined;
}

/** Answers the last message, writing text as it comes; the signal ends it with what there is. */
export async function writeAnswer(
  llm: ChatModel,
  messages: readonly ChatMessage[],
  params: SamplingOptions,
  { signal, write }: { readonly signal: AbortSignal; readonly write: (text: string) => void },
): Promise<Answer> {
  const startedMs = performance.now();
  const options: CallOptions = { signal };
  let firstMs: number | undefined;
  let text = '';
  let finishReason: FinishReason | undefined;
  let usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };
  try {
    for await (const delta of llm.chat(messages, params, options)) {
      firstMs ??= performance.now();
      usage = delta.usage;
      finishReason = delta.finishReason;
      text += delta.text;
      write(delta.text);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const endedMs = performance.now();
  const decodeSeconds = (endedMs - (firstMs ?? endedMs)) / 1000;
  return {
    text,
    finishReason,
    ...usage,
    firstTokenMs: (firstMs ?? endedMs) - startedMs,
    tokensPerSecond:
      usage.completionTokens > 1 && decodeSeconds > 0 ? (usage.completionTokens - 1) / decodeSeconds : undefined,
  };
}

/** `42 tokens, 180.3 tokens/s, first after 12 ms; prompt of 96 tokens, 80 cached`. */
export function describeAnswer(answer: Answer): string {
  const { completionTokens, tokensPerSecond, firstTokenMs, promptTokens, cachedTokens } = answer;
  const rate = tokensPerSecond === undefined ? '' : `${tokensPerSecond.toFixed(1)} tokens/s, `;
  const tokens = completionTokens === 1 ? '1 token' : `${completionTokens} tokens`;
  return `${tokens}, ${rate}first after ${firstTokenMs.toFixed(0)} ms; prompt of ${promptTokens} tokens, ${cachedTokens} cached`;
}
