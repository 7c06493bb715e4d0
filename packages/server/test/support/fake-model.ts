import {
  type ChatTemplate,
  type FinishReason,
  type GenerateRequest,
  KvasirError,
  type OutputDelta,
  type PositionLogprobs,
  type TokenLogprob,
} from '@kvasir/interfaces';
import type { EngineNumbers, ServedEngine, ServedEngineObserver, ServedModel } from '../../src/index.js';
import { ByteTokenizer, EOS } from './byte-tokenizer.js';

export interface FakeModelOptions {
  /** What the model says to a prompt. Default: the prompt, backwards by character. */
  readonly reply?: (prompt: string) => string;
  readonly maxModelLen?: number;
  readonly chatTemplate?: ChatTemplate | undefined;
  readonly maxQueued?: number;
  /** Only `step()` makes progress. */
  readonly manual?: boolean;
  /** Throws in the step that would make this output token. */
  readonly failAt?: number;
}

const BLOCK_SIZE = 4;
const NUM_BLOCKS = 4096;
const MAX_RUNNING = 8;

const plainTemplate: ChatTemplate = {
  render: (messages, options) => {
    if (messages[0]?.content === 'raise') throw new KvasirError('ERR_CHAT_TEMPLATE', 'roles must alternate');
    const text = messages.map(({ role, name, content }) => `${role}${name ?? ''}:${content}\n`).join('');
    return options?.addGenerationPrompt === false ? text : `${text}assistant:`;
  },
};

/** A model of a few lines that behaves like an engine: steps, blocks, a bounded queue, coalescing streams, aborts that take a step. */
export class FakeModel implements ServedModel, ServedEngine {
  readonly name = 'fake';
  readonly limits: { readonly maxModelLen: number; readonly maxLogprobs: number };
  readonly engine = this;
  readonly tokenizer = new ByteTokenizer();
  readonly chatTemplate: ChatTemplate | undefined;
  failure: Error | undefined;
  readonly aborted: string[] = [];
  readonly submitted: GenerateRequest[] = [];
  readonly #options: FakeModelOptions;
  readonly #observers = new Set<ServedEngineObserver>();
  readonly #sequences = new Map<string, FakeSequence>();
  readonly #finished: Record<FinishReason, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  #numUsedBlocks = 0;
  #totals = { promptTokens: 0, generationTokens: 0 };
  #seed = 41n;
  #timer: NodeJS.Immediate | undefined;

  constructor(options: FakeModelOptions = {}) {
    this.#options = options;
    this.limits = { maxModelLen: options.maxModelLen ?? 1000, maxLogprobs: 64 };
    this.chatTemplate = 'chatTemplate' in options ? options.chatTemplate : plainTemplate;
  }

  drawSeed(): bigint {
    return ++this.#seed;
  }

  submit(request: GenerateRequest): AsyncIterable<OutputDelta> {
    if (this.#sequences.size >= (this.#options.maxQueued ?? 64)) {
      throw new KvasirError('ERR_QUEUE_FULL', '64 requests are waiting, at most 64 may: try again later');
    }
    this.submitted.push(request);
    const prompt = this.tokenizer.decode(request.promptTokenIds);
    const reply = (this.#options.reply ?? ((text) => [...text].reverse().join('')))(prompt);
    const sequence = new FakeSequence(
      request,
      [...this.tokenizer.encode(reply, { addSpecialTokens: false }), EOS],
      this,
    );
    this.#sequences.set(request.requestId, sequence);
    this.#schedule();
    return sequence;
  }

  abort(requestId: string): boolean {
    const sequence = this.#sequences.get(requestId);
    this.aborted.push(requestId);
    if (sequence === undefined || sequence.ended) return false;
    sequence.push({ text: '', tokenIds: [], finishReason: 'abort' });
    this.#schedule();
    return true;
  }

  stats(): EngineNumbers {
    const numRunning = Math.min(MAX_RUNNING, this.#sequences.size);
    return {
      numRunning,
      numWaiting: this.#sequences.size - numRunning,
      kvCacheUsage: this.#numUsedBlocks / NUM_BLOCKS,
      numBlocks: NUM_BLOCKS,
      numFreeBlocks: NUM_BLOCKS - this.#numUsedBlocks,
      ...this.#totals,
      cachedPromptTokens: 0,
      numPreemptions: 0,
      prefixQueriedTokens: this.#totals.promptTokens,
      prefixHitTokens: 0,
      finished: { ...this.#finished },
    };
  }

  observe(observer: ServedEngineObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** One token for each running sequence; ended ones give up their blocks. */
  step(): void {
    const running = [...this.#sequences.values()].slice(0, MAX_RUNNING);
    let numTokens = 0;
    for (const sequence of running) {
      if (!sequence.ended) {
        if (sequence.numOutput === 0) this.#totals.promptTokens += sequence.request.promptTokenIds.length;
        numTokens++;
        this.#totals.generationTokens++;
        if (sequence.numOutput === this.#options.failAt)
          sequence.fail(new KvasirError('ERR_STEP_FAILED', 'step 7 failed'));
        else sequence.advance(this.tokenizer);
        const observers = [...this.#observers];
        for (const observer of observers)
          sequence.numOutput === 1 ? observer.onFirstToken?.(5) : observer.onInterToken?.(2);
      }
    }
    this.#numUsedBlocks = 0;
    for (const [id, sequence] of this.#sequences) {
      if (sequence.ended) this.#end(id, sequence);
      else this.#numUsedBlocks += Math.ceil((sequence.request.promptTokenIds.length + sequence.numOutput) / BLOCK_SIZE);
    }
    for (const observer of this.#observers) observer.onStep?.({ numTokens });
    if (this.#sequences.size > 0) this.#schedule();
  }

  #end(id: string, sequence: FakeSequence): void {
    this.#sequences.delete(id);
    this.#finished[sequence.finishReason]++;
    const record = {
      usage: sequence.usage,
      maxTokens: sequence.request.sampling.maxTokens,
      queueMs: 1,
      prefillMs: 4,
      decodeMs: 20,
      inferenceMs: 24,
      endToEndMs: 25,
    };
    for (const observer of this.#observers) observer.onFinish?.(record);
  }

  #schedule(): void {
    if (this.#options.manual === true) return;
    this.#timer ??= setImmediate(() => {
      this.#timer = undefined;
      this.step();
    });
  }
}

type Chunk = Pick<OutputDelta, 'text' | 'tokenIds' | 'finishReason' | 'stopReason' | 'logprobs' | 'promptLogprobs'>;

type MutableDelta = Omit<OutputDelta, 'text' | 'tokenIds' | 'logprobs' | 'usage'> & {
  text: string;
  tokenIds: number[];
  logprobs?: PositionLogprobs[];
  usage: OutputDelta['usage'];
};

class FakeSequence implements AsyncIterable<OutputDelta> {
  readonly request: GenerateRequest;
  readonly #reply: readonly number[];
  readonly #model: FakeModel;
  readonly #decoder;
  #pending: MutableDelta | undefined;
  #error: unknown;
  #wake: (() => void) | undefined;
  #text = '';
  numOutput = 0;
  ended = false;
  finishReason: FinishReason = 'stop';

  constructor(request: GenerateRequest, reply: readonly number[], model: FakeModel) {
    this.request = request;
    this.#reply = reply;
    this.#model = model;
    this.#decoder = model.tokenizer.createDecoder();
  }

  get usage() {
    return { promptTokens: this.request.promptTokenIds.length, completionTokens: this.numOutput, cachedTokens: 0 };
  }

  advance(tokenizer: ByteTokenizer): void {
    const { sampling, promptTokenIds } = this.request;
    const isFirst = this.numOutput === 0;
    const next = this.#reply[this.numOutput] ?? EOS;
    this.numOutput++;
    const isEnd = next === EOS && !sampling.ignoreEos && this.numOutput > sampling.minTokens;
    const isFull = this.numOutput >= sampling.maxTokens;
    let text = this.#decoder.push(next) + (isEnd || isFull ? this.#decoder.flush() : '');
    this.#text += text;
    const stop = sampling.stop.find((each) => this.#text.includes(each));
    if (stop !== undefined)
      text = text.slice(0, Math.max(0, this.#text.indexOf(stop) - (this.#text.length - text.length)));
    const finishReason = stop !== undefined || isEnd ? 'stop' : isFull ? 'length' : undefined;
    const { logprobs, promptLogprobs } = sampling;
    this.push({
      text,
      tokenIds: [next],
      ...(finishReason === undefined ? {} : { finishReason }),
      ...(stop === undefined ? {} : { stopReason: stop }),
      ...(logprobs === undefined ? {} : { logprobs: [positionLogprobs(next, logprobs, tokenizer.vocabSize)] }),
      ...(promptLogprobs === undefined || !isFirst
        ? {}
        : {
            promptLogprobs: Array.from(promptTokenIds, (id, i) =>
              i === 0 ? undefined : positionLogprobs(id, promptLogprobs, tokenizer.vocabSize),
            ),
          }),
    });
  }

  push(chunk: Chunk): void {
    const { text, tokenIds, logprobs, ...rest } = chunk;
    this.#pending ??= { requestId: this.request.requestId, index: 0, text: '', tokenIds: [], usage: this.usage };
    const pending = this.#pending;
    Object.assign(pending, rest, { usage: this.usage, text: pending.text + text });
    pending.tokenIds.push(...tokenIds);
    if (logprobs !== undefined) {
      pending.logprobs ??= [];
      pending.logprobs.push(...logprobs);
    }
    if (chunk.finishReason !== undefined) {
      this.ended = true;
      this.finishReason = chunk.finishReason;
    }
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.ended = true;
    this.finishReason = 'error';
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputDelta> {
    try {
      for (;;) {
        const delta = this.#pending;
        this.#pending = undefined;
        if (delta !== undefined) {
          yield delta;
        } else if (this.#error !== undefined) {
          throw this.#error;
        } else if (this.ended) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      if (!this.ended) this.#model.abort(this.request.requestId);
    }
  }
}

function positionLogprobs(tokenId: number, numTop: number, vocabSize: number): PositionLogprobs {
  const top: TokenLogprob[] = Array.from({ length: numTop }, (_, i) => ({
    tokenId: (tokenId + i) % vocabSize,
    logprob: i === 0 ? -0.25 : -i,
    rank: i + 1,
  }));
  return { chosen: { tokenId, logprob: -0.25, rank: 1 }, top };
}
