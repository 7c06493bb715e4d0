import { closestName } from '../flags/closest-name.js';
import { UsageError } from '../flags/usage-error.js';
import type { ChatParams } from './chat-params.js';
import type { Conversation } from './conversation.js';
import { saveChat } from './save-chat.js';

/** What a command of a chat may read and change. */
export interface ChatState {
  readonly model: string;
  readonly conversation: Conversation;
  readonly params: ChatParams;
  /** Files that this chat has written: they may be written again. */
  readonly savedPaths: Set<string>;
}

/** What follows from a command: words for the person, a question to ask, the end. */
export interface CommandOutcome {
  readonly say?: string;
  readonly ask?: string;
  readonly leave?: true;
}

interface ChatCommand {
  readonly usage: string;
  readonly summary: string;
  run(state: ChatState, argument: string): CommandOutcome | Promise<CommandOutcome>;
}

const COMMANDS: Readonly<Record<string, ChatCommand>> = {
  system: {
    usage: '/system [TEXT]',
    summary: "set the system prompt; without TEXT show it; '/system -' takes it away",
    run: ({ conversation }, text) => {
      if (text !== '') conversation.system = text === '-' ? undefined : text;
      const { system } = conversation;
      return { say: system === undefined ? "system prompt: none but the template's own" : `system prompt: ${system}` };
    },
  },
  reset: {
    usage: '/reset',
    summary: 'forget every exchange; the system prompt stays',
    run: ({ conversation }) => {
      conversation.reset();
      return { say: 'the conversation starts over' };
    },
  },
  retry: {
    usage: '/retry',
    summary: 'take the last answer back and ask again',
    run: ({ conversation }) => {
      const question = conversation.undo();
      return question === undefined ? { say: 'nothing was asked yet' } : { ask: question };
    },
  },
  undo: {
    usage: '/undo',
    summary: 'take the last exchange back',
    run: ({ conversation }) => {
      const question = conversation.undo();
      return { say: question === undefined ? 'nothing was asked yet' : `taken back: ${question}` };
    },
  },
  params: {
    usage: '/params [NAME=VALUE ...]',
    summary: 'show or change temperature, top-p, top-k, max-tokens, seed',
    run: ({ params }, text) => {
      if (text !== '') params.change(text);
      return { say: params.describe() };
    },
  },
  save: {
    usage: '/save FILE',
    summary: 'write the conversation to FILE: JSON if it ends in .json, else Markdown',
    run: async ({ model, conversation, savedPaths }, path) => {
      if (path === '') throw new UsageError('/save: expected the name of a file');
      const messages = conversation.messages();
      await saveChat(path, model, messages, { overwrite: savedPaths.has(path) });
      savedPaths.add(path);
      return { say: `${messages.length} messages in ${path}` };
    },
  },
  help: { usage: '/help', summary: 'show this', run: () => ({ say: describeCommands() }) },
  exit: { usage: '/exit', summary: 'leave, as Ctrl-D and Ctrl-C twice do', run: () => ({ leave: true }) },
};

/** Splits a line into a command and its argument; `undefined` for a message. A path such as `/etc/hosts` is a message. */
export function readCommand(line: string): { readonly name: string; readonly argument: string } | undefined {
  const match = /^\/([a-z]+)(?:\s+(.*))?\s*$/s.exec(line);
  return match === null ? undefined : { name: match[1]!, argument: (match[2] ?? '').trim() };
}

/**
 * Runs a command.
 * @throws `UsageError` For one that does not exist or cannot be used so; what `node:fs` throws for a file.
 */
export async function runChatCommand(state: ChatState, name: string, argument: string): Promise<CommandOutcome> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return await command.run(state, argument);
  const closest = closestName(name, Object.keys(COMMANDS));
  throw new UsageError(
    `unknown command /${name}${closest === undefined ? '' : `; did you mean /${closest}?`} (/help lists all; begin with a space to send it)`,
  );
}

function describeCommands(): string {
  const all = Object.values(COMMANDS);
  const width = Math.max(...all.map(({ usage }) => usage.length)) + 2;
  const lines = all.map(({ usage, summary }) => `  ${usage.padEnd(width)}${summary}`);
  return [...lines, '  A line that ends with \\ goes on in the next. Ctrl-C stops an answer.'].join('\n');
}
