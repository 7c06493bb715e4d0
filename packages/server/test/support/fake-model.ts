import {
  type ChatTemplate,
  type FinishReason,
  type GenerateRequest,
  KvasirError,
  type KvCacheEvent,
  type OutputDelta,
  type PositionLogprobs,
  type TokenLogprob,
} from '@kvasir/interfaces';
import { loadChatTemplate, StopMatcher } from '@kvasir/tokenizer';
import type {
  EngineNumbers,
  SamplingDefaults,
  ServedEngine,
  ServedEngineObserver,
  ServedModel,
} from '../../src/index.js';
import { ByteTokenizer, EOS } from './byte-tokenizer.js';

export interface FakeModelOptions {
  /** What the model says to a prompt. Default: the prompt, backwards by character. */
  readonly reply?: (prompt: string) => string;
  readonly maxModelLen?: number;
  readonly chatTemplate?: ChatTemplate | undefined;
  readonly maxQueued?: number;
  /** Only `step()` makes progress. */
  readonly manual?: boolean;
  readonly defaultSampling?: SamplingDefaults;
  /** Compiles templates of clients. */
  readonly compileChatTemplate?: NonNullable<ServedModel['compileChatTemplate']>;
  /** Throws in the step that would make this output token. */
  readonly failAt?: number;
  /** Put over the numbers of `stats()`. */
  readonly numbers?: Partial<EngineNumbers>;
}

const BLOCK_SIZE = 4;
const NUM_BLOCKS = 4096;
const MAX_RUNNING = 8;

const plainTemplate: ChatTemplate = {
  render: (messages, options) => {
    if (messages[0]?.content === 'raise') throw new KvasirError('ERR_CHAT_TEMPLATE', 'roles must alternate');
    const text = messages.map(({ role, name, content }) => `${role}${name ?? ''}:${content}\n`).join('');
    const said = Object.entries(options?.variables ?? {}).map(([key, value]) => `${key}=${JSON.stringify(value)}\n`);
    return said.join('') + (options?.addGenerationPrompt === false ? text : `${text}assistant:`);
  },
};

/** A model of a few lines that behaves like an engine: steps, blocks, a bounded queue, coalescing streams, aborts that take a step. */
export class FakeModel implements ServedModel, ServedEngine {
  readonly name = 'fake';
  readonly limits: { readonly maxModelLen: number; readonly maxLogprobs: number };
  readonly engine = this;
  readonly tokenizer = new ByteTokenizer();
  readonly chatTemplate: ChatTemplate | undefined;
  readonly defaultSampling: SamplingDefaults | undefined;
  readonly compileChatTemplate: NonNullable<ServedModel['compileChatTemplate']>;
  readonly device = { kernelPath: 'none', numThreads: 1 };
  readonly memory = { weightBytes: 1, kvCacheBytes: 2 };
  readonly numericsId = 'fake-1';
  numResets = 0;
  readonly kvListeners = new Set<(event: KvCacheEvent) => void>();
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
    this.defaultSampling = options.defaultSampling;
    this.compileChatTemplate =
      options.compileChatTemplate ?? ((source, limits) => loadChatTemplate(source, { limits: limits ?? {} }));
    this.chatTemplate = 'chatTemplate' in options ? options.chatTemplate : plainTemplate;
  }

  drawSeed(): bigint {
    return ++this.#seed;
  }

  subscribeKvEvents(listener: (event: KvCacheEvent) => void): () => void {
    this.kvListeners.add(listener);
    return () => this.kvListeners.delete(listener);
  }

  resetPrefixCache(): void {
    this.numResets++;
  }

  submit(request: GenerateRequest): AsyncIterable<OutputDelta> {
    if (this.#sequences.size >= (this.#options.maxQueued ?? 64)) {
      throw new KvasirError('ERR_QUEUE_FULL', '64 requests are waiting, at most 64 may: try again later');
    }
    this.submitted.push(request);
    const prompt = this.tokenizer.decode(request.promptTokenIds);
    const reply = (this.#options.reply ?? ((text) => [...text].reverse().join('')))(prompt);
    const sequence = new FakeSequence(request, [...this.tokenizer.encode(reply, { addSpecialTokens: false })], this);
    this.#sequences.set(request.requestId, sequence);
    this.#schedule();
    return sequence;
  }

  abort(requestId: string): boolean {
    const sequence = this.#sequences.get(requestId);
    this.aborted.push(requestId);
    if (sequence === undefined || sequence.ended) return false;
    sequence.abort();
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
      ...this.#options.numbers,
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
    for (const observer of this.#observers) observer.onStep?.({ numTokens, elapsedMs: 30, computeMs: 20 });
    if (this.#sequences.size > 0) this.#schedule();
  }

  #end(id: string, sequence: FakeSequence): void {
    this.#sequences.delete(id);
    this.#finished[sequence.finishReason]++;
    const record = {
      usage: sequence.usage,
      maxTokens: sequence.request.sampling.maxTokens,
      numChoices: sequence.request.n ?? 1,
      longestOutput: sequence.longestOutput,
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

/** One choice: its own text, end and pending delta. Choice `i` says the reply `i + 1` times. */
class FakeChoice {
  readonly index: number;
  readonly reply: readonly number[];
  readonly decoder;
  readonly matcher: StopMatcher;
  numOutput = 0;
  ended = false;
  pending: MutableDelta | undefined;

  constructor(index: number, request: GenerateRequest, reply: readonly number[], tokenizer: ByteTokenizer) {
    this.index = index;
    this.reply = [...Array.from({ length: index + 1 }, () => reply).flat(), EOS];
    this.decoder = tokenizer.createDecoder({ skipSpecialTokens: request.skipSpecialTokens ?? true });
    this.matcher = new StopMatcher(request.sampling.stop, { includeStop: request.includeStopInOutput ?? false });
  }
}

class FakeSequence implements AsyncIterable<OutputDelta> {
  readonly request: GenerateRequest;
  readonly #choices: readonly FakeChoice[];
  readonly #model: FakeModel;
  #error: unknown;
  #wake: (() => void) | undefined;
  finishReason: FinishReason = 'stop';

  constructor(request: GenerateRequest, reply: readonly number[], model: FakeModel) {
    this.request = request;
    this.#model = model;
    this.#choices = Array.from(
      { length: request.n ?? 1 },
      (_, i) => new FakeChoice(i, request, reply, model.tokenizer),
    );
  }

  get numOutput(): number {
    return this.#choices.reduce((sum, choice) => sum + choice.numOutput, 0);
  }

  get longestOutput(): number {
    return Math.max(...this.#choices.map(({ numOutput }) => numOutput));
  }

  get ended(): boolean {
    return this.#choices.every((choice) => choice.ended);
  }

  get usage() {
    return { promptTokens: this.request.promptTokenIds.length, completionTokens: this.numOutput, cachedTokens: 0 };
  }

  /** One token for each choice that goes on. */
  advance(tokenizer: ByteTokenizer): void {
    for (const choice of this.#choices) {
      if (!choice.ended) this.#advance(choice, tokenizer);
    }
  }

  #advance(choice: FakeChoice, tokenizer: ByteTokenizer): void {
    const { sampling, promptTokenIds } = this.request;
    const isFirst = this.numOutput === 0;
    const next = choice.reply[choice.numOutput] ?? EOS;
    choice.numOutput++;
    const isPastMinimum = choice.numOutput > sampling.minTokens;
    const isStopToken = isPastMinimum && sampling.stopTokenIds.includes(next);
    const isEnd = isPastMinimum && next === EOS && !sampling.ignoreEos;
    const isFull = choice.numOutput >= sampling.maxTokens;
    const isShown = this.request.includeStopInOutput === true || !(isStopToken || isEnd);
    const match = choice.matcher.push(
      (isShown ? choice.decoder.push(next) : '') + (isEnd || isFull || isStopToken ? choice.decoder.flush() : ''),
    );
    const isOver = match.stop !== undefined || isEnd || isStopToken;
    const text = match.text + (match.stop === undefined && (isOver || isFull) ? choice.matcher.flush() : '');
    const finishReason = isOver ? 'stop' : isFull ? 'length' : undefined;
    const stopReason = match.stop ?? (isStopToken ? next : undefined);
    const { logprobs, promptLogprobs } = sampling;
    this.#push(choice, {
      text,
      tokenIds: [next],
      ...(finishReason === undefined ? {} : { finishReason }),
      ...(stopReason === undefined ? {} : { stopReason }),
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

  /** Ends every choice that goes on. */
  abort(): void {
    for (const choice of this.#choices) {
      if (!choice.ended) this.#push(choice, { text: '', tokenIds: [], finishReason: 'abort' });
    }
  }

  #push(choice: FakeChoice, chunk: Chunk): void {
    const { text, tokenIds, logprobs, ...rest } = chunk;
    choice.pending ??= {
      requestId: this.request.requestId,
      index: choice.index,
      text: '',
      tokenIds: [],
      usage: this.usage,
    };
    const { pending } = choice;
    Object.assign(pending, rest, { usage: this.usage, text: pending.text + text });
    pending.tokenIds.push(...tokenIds);
    if (logprobs !== undefined) {
      pending.logprobs ??= [];
      pending.logprobs.push(...logprobs);
    }
    if (chunk.finishReason !== undefined) {
      choice.ended = true;
      this.finishReason = chunk.finishReason;
    }
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    for (const choice of this.#choices) choice.ended = true;
    this.finishReason = 'error';
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputDelta> {
    try {
      for (;;) {
        const choice = this.#choices.find(({ pending }) => pending !== undefined);
        if (choice !== undefined) {
          const delta = choice.pending!;
          choice.pending = undefined;
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
