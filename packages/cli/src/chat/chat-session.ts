import { constants } from 'node:os';
import type { PromptTooLongError } from '@kvasir/engine';
import { KvasirError } from '@kvasir/interfaces';
import type { CommandContext } from '../command.js';
import type { ShutdownSignal } from '../commands/shutdown.js';
import { createStyle, type Style } from '../terminal/style.js';
import { type Answer, type ChatModel, describeAnswer, writeAnswer } from './answer.js';
import { type ChatState, type CommandOutcome, readCommand, runChatCommand } from './chat-commands.js';
import { ENDED, INTERRUPTED, type LineSource } from './line-source.js';

/** Parts of a {@link ChatSession}. */
export interface ChatSessionOptions {
  readonly llm: ChatModel;
  readonly lines: LineSource;
  readonly state: ChatState;
  readonly context: CommandContext;
}

/** One chat from its first line to its end. Answers go to stdout, everything else to stderr. */
export class ChatSession {
  readonly #llm: ChatModel;
  readonly #lines: LineSource;
  readonly #state: ChatState;
  readonly #context: CommandContext;
  readonly #style: Style;
  readonly #isTerminal: boolean;
  /** Of the answer that is being written. */
  #cancel: AbortController | undefined;
  /** Whether Ctrl-C came and nothing was typed since: the next one leaves. */
  #wasInterrupted = false;
  #exitCode: number | undefined;
  #hasFailed = false;

  constructor({ llm, lines, state, context }: ChatSessionOptions) {
    this.#llm = llm;
    this.#lines = lines;
    this.#state = state;
    this.#context = context;
    this.#style = createStyle(context.stderr, context.environment);
    this.#isTerminal = context.stdin.isTTY === true && context.stdout.isTTY === true;
  }

  /** @returns The exit code: 0; 1 if a question of a pipe could not be answered; 128 and the signal's number after one. */
  async run(): Promise<number> {
    if (this.#isTerminal) this.#say(`${this.#llm.name}. /help lists commands, Ctrl-D leaves.`);
    while (this.#exitCode === undefined) {
      const line = await this.#readMessage();
      if (line === ENDED) break;
      if (line === INTERRUPTED) this.#onInterrupt();
      else if (line.trim() !== '') await this.#take(line);
    }
    return this.#exitCode ?? (this.#hasFailed && !this.#isTerminal ? 1 : 0);
  }

  /** A signal: SIGINT stops the answer, and leaves when it comes twice; SIGTERM leaves. */
  onSignal(signal: ShutdownSignal): void {
    if (signal === 'SIGTERM' || (this.#cancel !== undefined && this.#wasInterrupted)) this.#leaveBy(signal);
    if (this.#cancel === undefined) {
      this.#lines.interrupt();
      return;
    }
    this.#wasInterrupted = true;
    this.#cancel.abort();
  }

  /** While a line is read. */
  #onInterrupt(): void {
    if (this.#exitCode !== undefined) return;
    if (this.#isTerminal) this.#context.stdout.write('\n');
    if (this.#wasInterrupted) this.#leaveBy('SIGINT');
    else this.#say('Ctrl-C once more leaves.');
    this.#wasInterrupted = true;
  }

  #leaveBy(signal: ShutdownSignal): void {
    this.#exitCode = 128 + constants.signals[signal];
  }

  /** Lines up to one that does not end with a backslash. */
  async #readMessage(): Promise<string | typeof INTERRUPTED | typeof ENDED> {
    let message = '';
    for (;;) {
      const line = await this.#lines.next(message === '' ? '> ' : '. ');
      if (line === ENDED && message !== '') return message;
      if (typeof line !== 'string') return line;
      this.#wasInterrupted = false;
      message += line;
      if (!message.endsWith('\\')) return message;
      message = `${message.slice(0, -1)}\n`;
    }
  }

  async #take(line: string): Promise<void> {
    try {
      const command = readCommand(line);
      if (command === undefined) await this.#ask(line.trim());
      else await this.#follow(await runChatCommand(this.#state, command.name, command.argument));
    } catch (error) {
      // A file that cannot be written, or what the engine refused: the chat goes on.
      if (!KvasirError.isInstance(error) && !(error instanceof Error && 'syscall' in error)) throw error;
      this.#hasFailed = true;
      this.#say(this.#advise(error));
    }
  }

  async #follow({ say, ask, leave }: CommandOutcome): Promise<void> {
    if (say !== undefined) this.#say(say);
    if (leave === true) this.#exitCode = 0;
    if (ask !== undefined) await this.#ask(ask);
  }

  async #ask(question: string): Promise<void> {
    const { conversation, params } = this.#state;
    this.#cancel = new AbortController();
    try {
      const answer = await writeAnswer(this.#llm, conversation.messages(question), params.options, {
        signal: this.#cancel.signal,
        write: (text) => this.#context.stdout.write(this.#isTerminal ? withoutControls(text) : text),
      });
      if (answer.text !== '' && !answer.text.endsWith('\n')) this.#context.stdout.write('\n');
      // Nothing to go on from: the question is taken back.
      if (answer.finishReason !== undefined || answer.text !== '') conversation.add(question, answer.text);
      this.#say(`[${describeAnswer(answer)}]${this.#describeEnd(answer)}`);
    } finally {
      this.#cancel = undefined;
    }
  }

  #describeEnd({ finishReason, text, promptTokens, completionTokens }: Answer): string {
    if (finishReason === undefined) return text === '' ? ' stopped: the question is taken back' : ' stopped';
    if (finishReason !== 'length') return '';
    const { maxModelLen } = this.#llm.limits;
    if (promptTokens + completionTokens >= maxModelLen) {
      return ` the context of ${maxModelLen} tokens is full: /undo takes back the last exchange, /reset starts over`;
    }
    return ` cut at max-tokens: /params max-tokens=${2 * completionTokens} allows more`;
  }

  #advise(error: Error): string {
    if (KvasirError.isInstance(error, 'ERR_PROMPT_TOO_LONG')) {
      const { promptTokens, maxModelLen } = error as PromptTooLongError;
      const what = `the conversation would have ${promptTokens} tokens, the context holds ${maxModelLen}`;
      const remedy =
        this.#state.conversation.numExchanges === 0
          ? 'ask a shorter question'
          : '/undo takes back the last exchange, /reset starts over, a shorter question may fit';
      return `${what}: ${remedy} (a larger --max-model-len holds more where the model and memory allow it)`;
    }
    if ('code' in error && error.code === 'EEXIST' && 'path' in error) {
      return `${error.path} exists: give another name, or delete it first`;
    }
    return error.message;
  }

  #say(text: string): void {
    this.#context.stderr.write(`${this.#style.dim(text)}\n`);
  }
}

/** A model's text moves no cursor and sets no title of a terminal. */
function withoutControls(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, '');
}
