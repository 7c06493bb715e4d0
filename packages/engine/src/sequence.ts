import type {
  FinishReason,
  GenerateRequest,
  PositionLogprobs,
  RequestUsage,
  SequenceId,
  Tokenizer,
} from '@kvasir/interfaces';
import type { OutputStream } from './output-stream.js';
import { SequenceText } from './sequence-text.js';

/** When the stages of a request began, in milliseconds of the engine's clock; `undefined` until they do. */
export interface SequenceTimes {
  readonly arrivalMs: number;
  scheduledMs: number | undefined;
  firstTokenMs: number | undefined;
  lastTokenMs: number | undefined;
}

/** A request inside the engine: its tokens, its text and its consumer. */
export class Sequence {
  readonly id: SequenceId;
  readonly request: GenerateRequest;
  readonly stream: OutputStream;
  readonly text: SequenceText;
  readonly times: SequenceTimes;
  /** Prompt and output; `[0, length)` is in use. */
  readonly tokens: Int32Array;
  /** Collected until the prompt is complete; entry 0 is `undefined`. */
  readonly promptLogprobs: (PositionLogprobs | undefined)[] = [undefined];
  length: number;
  cachedTokens = 0;
  finishReason: FinishReason | undefined;
  /** Detaches the request's abort signal. */
  detach: () => void = () => undefined;

  constructor(options: {
    readonly id: SequenceId;
    readonly request: GenerateRequest;
    readonly stream: OutputStream;
    readonly tokenizer: Tokenizer;
    readonly maxLength: number;
    readonly arrivalMs: number;
  }) {
    const { request } = options;
    this.id = options.id;
    this.request = request;
    this.stream = options.stream;
    this.text = new SequenceText(options.tokenizer, request.sampling.stop, request.sampling.minTokens);
    this.times = {
      arrivalMs: options.arrivalMs,
      scheduledMs: undefined,
      firstTokenMs: undefined,
      lastTokenMs: undefined,
    };
    this.tokens = new Int32Array(options.maxLength);
    this.tokens.set(request.promptTokenIds);
    this.length = request.promptTokenIds.length;
  }

  get promptLength(): number {
    return this.request.promptTokenIds.length;
  }

  /** The request is over at this many tokens. */
  get maxLength(): number {
    return this.tokens.length;
  }

  /** Prompt positions whose log-probability is still to be asked for, from this position on. */
  get firstMissingPromptLogprob(): number {
    return this.request.sampling.promptLogprobs === undefined ? this.promptLength : this.promptLogprobs.length - 1;
  }

  append(tokenId: number): void {
    this.tokens[this.length++] = tokenId;
  }

  usage(): RequestUsage {
    return {
      promptTokens: this.promptLength,
      completionTokens: this.length - this.promptLength,
      cachedTokens: this.cachedTokens,
    };
  }
}
