import type { OutputDelta } from '@kvasir/interfaces';
import { sseFrame } from '../http/sse-stream.js';
import type { UsageBody } from './usage.js';

/** What every chunk of a stream repeats. */
export interface ChunkHead {
  readonly id: string;
  readonly object: 'chat.completion.chunk' | 'text_completion';
  readonly created: number;
  readonly model: string;
  /** Chunks carry `"usage": null`, and a last one the usage. */
  readonly includeUsage: boolean;
}

/** Optional members of one chunk, as ready-made JSON. */
export interface ChunkExtras {
  readonly logprobs?: string | undefined;
  readonly tokenIds?: string | undefined;
  readonly promptTokenIds?: string | undefined;
  /** Usage so far. */
  readonly usage?: string | undefined;
}

/**
 * Writes the chunks of one stream. All but the text is put together once, so that a chunk costs one `JSON.stringify` of the text.
 */
export class ChunkWriter {
  readonly #isChat: boolean;
  readonly #head: string;
  readonly #tail: string;
  readonly #plainEnd: string;

  constructor(head: ChunkHead) {
    this.#isChat = head.object === 'chat.completion.chunk';
    const { id, object, created, model } = head;
    this.#head = `${JSON.stringify({ id, object, created, model }).slice(0, -1)},`;
    this.#tail = head.includeUsage ? ',"usage":null}' : '}';
    this.#plainEnd = `,"logprobs":null,"finish_reason":null}]${this.#tail}\n\n`;
  }

  /** First chunk of a chat's choice. */
  role(index: number, { promptTokenIds, usage }: Pick<ChunkExtras, 'promptTokenIds' | 'usage'>): string {
    const ids = promptTokenIds === undefined ? '' : `,"prompt_token_ids":${promptTokenIds}`;
    return sseFrame(
      `${this.#head}"choices":[{"index":${index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]${ids}${this.#tailWith(usage)}`,
    );
  }

  /** Text only: the common chunk. */
  text(index: number, text: string): string {
    return `data: ${this.#head}${this.#open(index, text)}${this.#plainEnd}`;
  }

  /** A chunk with more than text: log-probabilities, ids, usage, or the end. */
  full(
    index: number,
    text: string,
    delta: Pick<OutputDelta, 'finishReason' | 'stopReason'>,
    extras: ChunkExtras,
  ): string {
    const { finishReason, stopReason } = delta;
    const finish =
      finishReason === undefined
        ? ',"finish_reason":null'
        : `,"finish_reason":"${finishReason}","stop_reason":${JSON.stringify(stopReason ?? null)}`;
    const promptIds = extras.promptTokenIds === undefined ? '' : `,"prompt_token_ids":${extras.promptTokenIds}`;
    const ids = extras.tokenIds === undefined ? '' : `,"token_ids":${extras.tokenIds}`;
    const open = this.#open(index, text);
    return sseFrame(
      `${this.#head}${open},"logprobs":${extras.logprobs ?? 'null'}${finish}${promptIds}${ids}}]${this.#tailWith(extras.usage)}`,
    );
  }

  /** The chunk without choices that carries the usage. */
  usage(usage: UsageBody): string {
    return sseFrame(`${this.#head}"choices":[],"usage":${JSON.stringify(usage)}}`);
  }

  #open(index: number, text: string): string {
    const json = JSON.stringify(text);
    return this.#isChat
      ? `"choices":[{"index":${index},"delta":{"content":${json}}`
      : `"choices":[{"index":${index},"text":${json}`;
  }

  #tailWith(usage: string | undefined): string {
    return usage === undefined ? this.#tail : `,"usage":${usage}}`;
  }
}
