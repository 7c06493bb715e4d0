import { ChatParams } from '../chat/chat-params.js';
import { ChatSession } from '../chat/chat-session.js';
import { Conversation } from '../chat/conversation.js';
import { createLineSource } from '../chat/line-source.js';
import type { Command } from '../command.js';
import type { Flag } from '../flags/flag.js';
import { UsageError } from '../flags/usage-error.js';
import { loadLlm } from './load-llm.js';
import { engineFlags, modelFlags } from './model-flags.js';
import { maxTokensFlag, samplingFlags } from './sampling-flags.js';
import { onShutdownSignal } from './shutdown.js';

const maxTokens = maxTokensFlag(512);

const chatFlags: readonly Flag[] = [
  {
    kind: 'string',
    name: 'system',
    placeholder: 'TEXT',
    defaultText: "the template's own",
    description: 'System prompt; /system changes it later.',
  },
  ...modelFlags,
  maxTokens,
  ...samplingFlags,
  ...engineFlags.filter((flag) => flag.name !== 'max-num-seqs'),
];

/** `kvasir chat`: a conversation in the terminal, or over a pipe with a question a line. */
export const chat: Command = {
  help: {
    usage: 'kvasir chat [MODEL] [options]',
    summary: 'Talks with a model: answers stream, and each says how fast it was and how much of its prompt was cached.',
    flags: chatFlags,
    notes: [
      'In the chat: /system /reset /retry /undo /params /save /help /exit.',
      'Ctrl-C stops an answer, twice it leaves.',
    ],
  },
  maxPositionals: 1,
  async run(flags, context) {
    const llm = await loadLlm(flags, context, { maxNumSeqs: 1 });
    const lines = createLineSource(context);
    try {
      if (llm.chatTemplate === undefined) {
        throw new UsageError(`${llm.name} has no chat template: use kvasir generate, which continues plain text`);
      }
      // The engine draws from --seed, so that /retry gives another answer.
      const values = new Map([...flags.values].filter(([name]) => name !== 'seed'));
      const state = {
        model: llm.name,
        conversation: new Conversation(flags.values.get('system') as string | undefined),
        params: new ChatParams(maxTokens, values),
        savedPaths: new Set<string>(),
      };
      const session = new ChatSession({ llm, lines, state, context });
      const ignoreSignals = onShutdownSignal((signal) => session.onSignal(signal));
      return await session.run().finally(ignoreSignals);
    } finally {
      lines.close();
      await llm.close({ drainTimeoutMs: 0 });
    }
  },
};
