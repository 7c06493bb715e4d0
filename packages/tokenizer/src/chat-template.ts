import { createContext, runInContext } from 'node:vm';
import type { ChatMessage, ChatTemplate, ChatTemplateOptions } from '@kvasir/interfaces';
import { ChatTemplateError, ChatTemplateTimeoutError } from './errors.js';
import { strftime } from './strftime.js';

/** What {@link loadChatTemplate} needs besides the template. */
export interface LoadChatTemplateOptions {
  /** Text of the BOS token, for templates that write it. Default `''`. */
  readonly bosToken?: string;
  /** Text of the EOS token. Default `''`. */
  readonly eosToken?: string;
  /** Clock behind `strftime_now`. Default: the system's. */
  readonly now?: () => Date;
  readonly limits?: Partial<ChatTemplateLimits>;
}

/** Bounds of a chat template, which is part of an untrusted model file. */
export interface ChatTemplateLimits {
  /** Longest template source, in UTF-16 code units. Default 256 Ki. */
  readonly maxTemplateLength: number;
  /** Longest prompt a template may produce, in UTF-16 code units. Default 8 Mi. */
  readonly maxOutputLength: number;
  /** Most numbers one `range(...)` may yield. Default 65,536. */
  readonly maxRangeLength: number;
  /** Longest rendering, in milliseconds of wall time. Default 1,000. */
  readonly timeoutMs: number;
}

const DEFAULT_LIMITS: ChatTemplateLimits = {
  maxTemplateLength: 1 << 18,
  maxOutputLength: 1 << 23,
  maxRangeLength: 1 << 16,
  timeoutMs: 1000,
};

/**
 * Compiles a chat template with the white-space rules of Hugging Face (`trim_blocks`, `lstrip_blocks`).
 * The Jinja library is loaded on the first call.
 * @throws {@link ChatTemplateError} If the template is too long or does not parse.
 */
export async function loadChatTemplate(source: string, options: LoadChatTemplateOptions = {}): Promise<ChatTemplate> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  if (source.length > limits.maxTemplateLength) {
    throw new ChatTemplateError(
      `chat template has ${source.length} characters, expected at most ${limits.maxTemplateLength}; pass another template or raise maxTemplateLength`,
    );
  }
  const { Environment, Interpreter, parse, tokenize } = await import('@huggingface/jinja');
  const program = failsAs('chat template does not parse', () =>
    parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })),
  );
  const now = options.now ?? (() => new Date());
  const globals: Readonly<Record<string, unknown>> = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    bos_token: options.bosToken ?? '',
    eos_token: options.eosToken ?? '',
    raise_exception: refuse,
    range: (start: number, stop?: unknown, step?: unknown) => range(limits.maxRangeLength, start, stop, step),
    strftime_now: (format: string) => strftime(now(), format),
  };
  const reserved = new Set([...Object.keys(globals), ...new Environment().variables.keys()]);
  return new BoundedTemplate(limits, reserved, (variables) => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
    return (new Interpreter(environment).run(program) as { readonly value: string }).value;
  });
}

class BoundedTemplate implements ChatTemplate {
  readonly #limits: ChatTemplateLimits;
  readonly #reserved: ReadonlySet<string>;
  readonly #context: { render: () => string };

  readonly #run: (variables: Record<string, unknown>) => string;

  constructor(
    limits: ChatTemplateLimits,
    reserved: ReadonlySet<string>,
    run: (variables: Record<string, unknown>) => string,
  ) {
    this.#limits = limits;
    this.#reserved = reserved;
    this.#run = run;
    // The context is here for the timeout alone: it also stops what runs outside of it. Templates see no JavaScript object.
    this.#context = createContext({ render: () => '' }) as { render: () => string };
  }

  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    const given = options.variables ?? {};
    for (const name of Object.keys(given)) {
      if (!this.#reserved.has(name) && name !== 'messages' && name !== 'add_generation_prompt') continue;
      throw new ChatTemplateError(`variable ${name} is the chat template's own; leave it out`);
    }
    const variables = { ...given, messages, add_generation_prompt: options.addGenerationPrompt ?? true };
    this.#context.render = () => this.#run(variables);
    const { timeoutMs, maxOutputLength } = this.#limits;
    const text = failsAs('chat template failed', () => this.#runWithin(timeoutMs));
    if (text.length > maxOutputLength) {
      throw new ChatTemplateError(
        `chat template produced ${text.length} characters, expected at most ${maxOutputLength}; send shorter messages`,
      );
    }
    return text;
  }

  #runWithin(timeoutMs: number): string {
    try {
      return runInContext('render()', this.#context, { timeout: timeoutMs }) as string;
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
      throw new ChatTemplateTimeoutError(timeoutMs, { cause });
    }
  }
}

class Refusal extends Error {}

function refuse(message: unknown): never {
  throw new Refusal(String(message));
}

function range(maxLength: number, start: number, stop?: unknown, step?: unknown): number[] {
  const [from, to] = typeof stop === 'number' ? [start, stop] : [0, start];
  const by = typeof step === 'number' ? step : 1;
  const length = Math.max(0, Math.ceil((to - from) / by));
  if (!(length <= maxLength))
    refuse(`range(${from}, ${to}, ${by}) has ${length} numbers, expected at most ${maxLength}`);
  return Array.from({ length }, (_, i) => from + i * by);
}

function failsAs<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof ChatTemplateTimeoutError) throw cause;
    if (cause instanceof Refusal) throw new ChatTemplateError(cause.message, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ChatTemplateError(`${what}: ${reason}`, { cause });
  }
}
