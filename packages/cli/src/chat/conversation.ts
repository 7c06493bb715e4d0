import type { ChatMessage } from '@kvasir/interfaces';

/** What was said: a system prompt that can change, and exchanges of a question and its answer. */
export class Conversation {
  /** `undefined`: the template's own, if it has one. */
  system: string | undefined;
  readonly #exchanges: { readonly question: string; answer: string }[] = [];

  constructor(system?: string) {
    this.system = system;
  }

  get numExchanges(): number {
    return this.#exchanges.length;
  }

  /** The messages so far, and `question` after them. */
  messages(question?: string): ChatMessage[] {
    return [
      ...(this.system === undefined ? [] : [{ role: 'system', content: this.system }]),
      ...this.#exchanges.flatMap((exchange) => [
        { role: 'user', content: exchange.question },
        { role: 'assistant', content: exchange.answer },
      ]),
      ...(question === undefined ? [] : [{ role: 'user', content: question }]),
    ];
  }

  add(question: string, answer: string): void {
    this.#exchanges.push({ question, answer });
  }

  /** Takes the last exchange back. @returns Its question; `undefined` when there is none. */
  undo(): string | undefined {
    return this.#exchanges.pop()?.question;
  }

  /** Forgets every exchange; the system prompt stays. */
  reset(): void {
    this.#exchanges.length = 0;
  }
}
