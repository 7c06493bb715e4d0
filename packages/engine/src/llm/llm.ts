import { setMaxListeners } from 'node:events';
import {
  type ChatMessage,
  type ChatTemplate,
  type DeviceInfo,
  InvalidArgumentError,
  type Tokenizer,
} from '@kvasir/interfaces';
import type { ModelDescription, SamplingDefaults } from '@kvasir/model';
import { loadChatTemplate } from '@kvasir/tokenizer';
import type { Engine } from '../engine.js';
import type { CloseOptions, EngineLimits } from '../engine-options.js';
import type { MemoryReport } from '../memory/plan-memory.js';
import { openModelByName } from '../open-model-by-name.js';
import type { OutputStream } from '../output-stream.js';
import { completeSampling, type SamplingOptions, withDefaults } from '../sampling.js';
import { type CallOptions, readCallOptions } from './call-options.js';
import { type Completion, complete } from './completion.js';
import { type LoadOptions, resolveSizes } from './load-options.js';
import { type KvCacheConfig, type OpenedEngine, openEngine } from './open-engine.js';
import { systemPromptTokens } from './system-prompt.js';

/** Text, or token ids taken as they are. */
export type Prompt = string | ArrayLike<number>;

/**
 * A loaded model: tokenizer, chat template and engine in one. Several may live in one process; each has a session of its own.
 */
export class LLM {
  /** The model's own name. */
  readonly name: string;
  readonly description: ModelDescription;
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** `undefined` for a model without one. */
  readonly chatTemplate: ChatTemplate | undefined;
  readonly memory: MemoryReport;
  readonly kvCacheConfig: KvCacheConfig;
  readonly device: DeviceInfo;
  /** Names everything that decides bits. */
  readonly numericsId: string;
  /** What calls that leave a parameter out get; empty with `generationConfig: 'vllm'`. */
  readonly defaultSampling: SamplingDefaults;
  #numRequests = 0;

  private constructor(
    description: ModelDescription,
    opened: OpenedEngine,
    chatTemplate: ChatTemplate | undefined,
    { generationConfig }: LoadOptions,
  ) {
    this.name = description.name;
    this.description = description;
    this.engine = opened.engine;
    this.tokenizer = opened.tokenizer;
    this.chatTemplate = chatTemplate;
    this.memory = opened.memory;
    this.kvCacheConfig = opened.kvCacheConfig;
    this.device = opened.session.info.device;
    this.numericsId = opened.session.info.numericsId;
    this.defaultSampling = generationConfig === 'vllm' ? {} : description.generation.sampling;
  }

  /**
   * Opens a model, settles every limit, and loads it. The event loop is not blocked.
   * @throws `InvalidArgumentError` For an option that cannot be used.
   * @throws {@link InsufficientMemoryError} If it does not fit; nothing was loaded.
   */
  static async load(options: LoadOptions): Promise<LLM> {
    const sizes = resolveSizes(options);
    options.signal?.throwIfAborted();
    const description =
      typeof options.model === 'string' ? await openModelByName(options.model, options) : options.model;
    const opened = await openEngine(description, options, sizes);
    try {
      return new LLM(description, opened, await openChatTemplate(description, opened.tokenizer), options);
    } catch (error) {
      await opened.engine.close();
      await opened.tokenizer.close?.();
      throw error;
    }
  }

  /** What every request is held to. */
  get limits(): EngineLimits {
    return this.engine.limits;
  }

  /**
   * Starts a generation. It runs whether or not the stream is read; leaving the loop ends it.
   * @throws As {@link Engine.submit}, and `InvalidArgumentError` for parameters.
   */
  stream(prompt: Prompt, params: SamplingOptions = {}, options: CallOptions = {}): OutputStream {
    return this.#submit(
      typeof prompt === 'string' ? this.tokenizer.encode(prompt) : toTokenIds(prompt),
      params,
      options,
    );
  }

  /**
   * Answers a conversation through the model's chat template.
   * @throws `InvalidArgumentError` If the model has none.
   */
  chat(messages: readonly ChatMessage[], params: SamplingOptions = {}, options: CallOptions = {}): OutputStream {
    if (this.chatTemplate === undefined) {
      throw new InvalidArgumentError(
        'messages',
        `${this.name} has no chat template: it is a base model, so use stream() or generate() with plain text`,
      );
    }
    const text = this.chatTemplate.render(messages, { addGenerationPrompt: true });
    // The template writes BOS and the like by itself.
    return this.#submit(this.tokenizer.encode(text, { addSpecialTokens: false }), params, options);
  }

  /**
   * Compiles a template from somebody who is not trusted: shorter, and with a tenth of the time of the model's own.
   * @throws `ChatTemplateError` If it is too long or does not parse.
   */
  compileChatTemplate(source: string, limits: { readonly timeoutMs?: number } = {}): Promise<ChatTemplate> {
    return loadChatTemplate(source, {
      ...tokenTexts(this.tokenizer),
      limits: { ...REQUEST_TEMPLATE_LIMITS, ...limits },
    });
  }

  /**
   * Completes one prompt or many, in order. Many run side by side, as many as the engine takes.
   * If one fails, the others are ended and the promise rejects.
   */
  async generate(
    prompts: Prompt | readonly Prompt[],
    params: SamplingOptions = {},
    { signal, ...options }: CallOptions = {},
  ): Promise<Completion[]> {
    const all = isOnePrompt(prompts) ? [prompts] : prompts;
    const cancel = new AbortController();
    const signals = signal === undefined ? cancel.signal : AbortSignal.any([signal, cancel.signal]);
    // One listener a running prompt is no leak.
    setMaxListeners(0, signals);
    const completions: Completion[] = new Array(all.length);
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < all.length) {
        const index = next++;
        completions[index] = await complete(this.stream(all[index]!, params, { ...options, signal: signals }));
      }
    };
    const { maxNumSeqs, maxQueuedRequests } = this.limits;
    const numPlaces = Math.max(1, options.beam?.width ?? options.bestOf ?? options.n ?? 1);
    const numWorkers = Math.min(all.length, Math.ceil(Math.min(2 * maxNumSeqs, maxQueuedRequests) / numPlaces));
    try {
      await Promise.all(Array.from({ length: numWorkers }, work));
    } catch (error) {
      cancel.abort(error);
      throw error;
    }
    return completions;
  }

  /**
   * Computes what every conversation under a system message begins with, and keeps it cached until {@link Engine.unpinPrefix}; without
   * a chat template, the text itself. Requests with a `cacheSalt` do not see it.
   * @returns Tokens that such a conversation need not compute: those of full blocks.
   * @throws `ERR_PIN_LIMIT` When all pins would exceed `maxPinnedShare`; {@link PromptTooLongError}.
   */
  async pinSystemPrompt(name: string, text: string): Promise<number> {
    const tokenIds = systemPromptTokens(text, this.tokenizer, this.chatTemplate);
    this.engine.pinPrefix(name, tokenIds);
    if (tokenIds.length > 0) await this.generate([tokenIds], { maxTokens: 1, temperature: 0 });
    return tokenIds.length - (tokenIds.length % this.kvCacheConfig.blockSize);
  }

  /** Ends running requests (within `drainTimeoutMs`, default 0), then frees everything. */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.engine.close(options);
    await this.tokenizer.close?.();
  }

  /** Closes at once. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(promptTokenIds: Int32Array, params: SamplingOptions, options: CallOptions): OutputStream {
    const { signal, extras } = readCallOptions(options);
    const sampling = completeSampling(withDefaults(params, this.defaultSampling), () => this.engine.drawSeed());
    const requestId = `llm-${++this.#numRequests}`;
    return this.engine.submit({ requestId, promptTokenIds, sampling, ...extras }, { signal });
  }
}

/** A client's template gets less than the model's: it blocks the event loop while it runs. */
const REQUEST_TEMPLATE_LIMITS = {
  maxTemplateLength: 1 << 16,
  maxOutputLength: 1 << 20,
  maxRangeLength: 4096,
  timeoutMs: 100,
};

function openChatTemplate({ chatTemplate }: ModelDescription, tokenizer: Tokenizer): Promise<ChatTemplate | undefined> {
  if (chatTemplate === undefined) return Promise.resolve(undefined);
  return loadChatTemplate(chatTemplate, tokenTexts(tokenizer));
}

function tokenTexts(tokenizer: Tokenizer) {
  const textOf = (id: number | undefined) => (id === undefined ? '' : tokenizer.tokenText(id));
  return { bosToken: textOf(tokenizer.bosTokenId), eosToken: textOf(tokenizer.eosTokenId) };
}

/** `Int32Array.from` alone would make a token id of anything. */
function toTokenIds(prompt: ArrayLike<number>): Int32Array {
  const ids = Int32Array.from(prompt);
  const wrong = ids.findIndex((id, i) => id !== prompt[i]);
  if (wrong < 0) return ids;
  throw new InvalidArgumentError('prompt', `prompt[${wrong}] is ${String(prompt[wrong])}: expected a token id`);
}

function isOnePrompt(prompts: Prompt | readonly Prompt[]): prompts is Prompt {
  if (typeof prompts === 'string') return true;
  return prompts.length === 0 ? !Array.isArray(prompts) : typeof prompts[0] === 'number';
}
