import type { PositionLogprobs, Tokenizer, TokenLogprob } from '@kvasir/interfaces';

/** JSON has no infinity; OpenAI's stand-in for an impossible token. */
const MIN_LOGPROB = -9999;

/** One token in OpenAI's chat form. */
interface ChatTokenLogprob {
  readonly token: string;
  readonly logprob: number;
  /** The token's own bytes, which may be part of a character. */
  readonly bytes: readonly number[];
}

/** `choices[].logprobs` of a chat. */
export interface ChatLogprobs {
  readonly content: readonly (ChatTokenLogprob & { readonly top_logprobs: readonly ChatTokenLogprob[] })[];
}

/** `choices[].logprobs` of a completion. Offsets count Unicode code points. */
export interface CompletionLogprobs {
  readonly text_offset: readonly number[];
  readonly token_logprobs: readonly (number | null)[];
  readonly tokens: readonly string[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
}

/** vLLM's `prompt_logprobs`: `null` for the first token, then token id to its numbers. */
export type PromptLogprobs = readonly (Readonly<
  Record<string, { readonly logprob: number; readonly rank: number; readonly decoded_token: string }>
> | null)[];

/** How tokens are called in log-probabilities. */
export type TokenNames = (id: number) => string;

/** Names of tokens: their texts, or `token_id:123`, which no two tokens share. */
export function tokenNames(tokenizer: Tokenizer, asIds: boolean): TokenNames {
  return asIds ? (id) => `token_id:${id}` : (id) => tokenizer.tokenText(id);
}

/** OpenAI's chat form of some positions. */
export function toChatLogprobs(
  positions: readonly PositionLogprobs[],
  tokenizer: Tokenizer,
  nameOf: TokenNames,
): ChatLogprobs {
  const one = (entry: TokenLogprob): ChatTokenLogprob => ({
    token: nameOf(entry.tokenId),
    logprob: clamp(entry.logprob),
    bytes: Array.from(tokenizer.tokenBytes(entry.tokenId)),
  });
  return { content: positions.map(({ chosen, top }) => ({ ...one(chosen), top_logprobs: top.map(one) })) };
}

/** How {@link toCompletionLogprobs} writes tokens. */
export interface CompletionLogprobsOptions {
  readonly tokenizer: Tokenizer;
  readonly nameOf: TokenNames;
  /** Code points of text before the first token. */
  readonly startOffset: number;
}

/** OpenAI's completion form of some tokens; positions without numbers (a prompt's first token) are `null`. */
export function toCompletionLogprobs(
  tokenIds: readonly number[],
  positions: readonly (PositionLogprobs | undefined)[],
  { tokenizer, nameOf, startOffset }: CompletionLogprobsOptions,
): CompletionLogprobs {
  const offsets: number[] = [];
  let offset = startOffset;
  for (const id of tokenIds) {
    offsets.push(offset);
    offset += countCodePoints(tokenizer.tokenText(id));
  }
  return {
    text_offset: offsets,
    token_logprobs: tokenIds.map((_, i) => {
      const position = positions[i];
      return position === undefined ? null : clamp(position.chosen.logprob);
    }),
    tokens: tokenIds.map(nameOf),
    top_logprobs: tokenIds.map((_, i) => {
      const position = positions[i];
      return position === undefined ? null : topByName(position, nameOf);
    }),
  };
}

/** vLLM's form of a prompt's positions. */
export function toPromptLogprobs(
  positions: readonly (PositionLogprobs | undefined)[],
  nameOf: TokenNames,
): PromptLogprobs {
  return positions.map((position) => {
    if (position === undefined) return null;
    return Object.fromEntries(
      [position.chosen, ...position.top].map(({ tokenId, logprob, rank }) => [
        String(tokenId),
        { logprob: clamp(logprob), rank, decoded_token: nameOf(tokenId) },
      ]),
    );
  });
}

/** Unicode code points of `text`. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Top tokens by name, then the chosen one. Of tokens with equal names the most likely stays, the chosen one always. */
function topByName({ chosen, top }: PositionLogprobs, nameOf: TokenNames): Readonly<Record<string, number>> {
  const byName = new Map<string, number>();
  for (const { tokenId, logprob } of top) {
    const name = nameOf(tokenId);
    if (!byName.has(name)) byName.set(name, clamp(logprob));
  }
  byName.set(nameOf(chosen.tokenId), clamp(chosen.logprob));
  return Object.fromEntries(byName);
}

function clamp(logprob: number): number {
  return Number.isFinite(logprob) ? Math.max(logprob, MIN_LOGPROB) : MIN_LOGPROB;
}
