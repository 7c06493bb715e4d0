import type { RequestUsage } from '@kvasir/interfaces';

/** OpenAI's `usage`. */
export interface UsageBody {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Sum over the prompts of one request. */
export function toUsageBody(usages: readonly RequestUsage[]): UsageBody {
  const promptTokens = sum(usages, (usage) => usage.promptTokens);
  const completionTokens = sum(usages, (usage) => usage.completionTokens);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(usages, (usage) => usage.cachedTokens) },
  };
}

/** `usage` of routes that embed: nothing is generated. */
export function toEmbeddingUsage(promptTokens: number) {
  return { prompt_tokens: promptTokens, total_tokens: promptTokens };
}

function sum(usages: readonly RequestUsage[], count: (usage: RequestUsage) => number): number {
  return usages.reduce((total, usage) => total + count(usage), 0);
}
