import type { LLM } from '@kvasir/engine';
import type { Command, CommandContext } from '../command.js';
import type { Flag } from '../flags/flag.js';
import { UsageError } from '../flags/usage-error.js';
import { StepTrace } from '../terminal/step-trace.js';
import { traceStepsFlag } from '../terminal/trace-flag.js';
import { loadLlm } from './load-llm.js';
import { engineFlags, modelFlags } from './model-flags.js';
import { maxTokensFlag, samplingFlags, samplingOptions } from './sampling-flags.js';
import { InterruptedError, onShutdownSignal } from './shutdown.js';

const generateFlags: readonly Flag[] = [
  { kind: 'string', name: 'prompt', placeholder: 'TEXT', defaultText: 'stdin', description: 'What to continue.' },
  ...modelFlags,
  {
    kind: 'boolean',
    name: 'chat',
    defaultText: 'on if the model has a chat template',
    description: 'Put the prompt as a chat message; --no-chat continues it as text.',
  },
  maxTokensFlag(256),
  ...samplingFlags,
  ...engineFlags.filter((flag) => flag.name !== 'max-num-seqs'),
  traceStepsFlag,
];

/** `kvasir generate`: one prompt, streamed to the terminal. */
export const generate: Command = {
  help: {
    usage: 'kvasir generate [MODEL] --prompt TEXT [options]',
    summary: 'Continues one prompt (--prompt, else stdin) and prints tokens per second at the end.',
    flags: generateFlags,
  },
  maxPositionals: 1,
  async run(flags, context) {
    const params = samplingOptions(flags.values);
    const prompt = (flags.values.get('prompt') as string | undefined) ?? (await readStdin(context));
    const llm = await loadLlm(flags, context, { maxNumSeqs: 1 });
    const trace = flags.values.get('trace-steps') === true && traceSteps(llm, context);
    const cancel = new AbortController();
    const ignoreSignals = onShutdownSignal((signal) => {
      cancel.abort(new InterruptedError(signal));
      // A second one ends the process at once.
      ignoreSignals();
    });
    try {
      const wantsChat = flags.values.get('chat');
      if (wantsChat === true && llm.chatTemplate === undefined) {
        throw new UsageError(`--chat: ${llm.name} has no chat template; leave it out to continue plain text`);
      }
      const isChat = wantsChat !== false && llm.chatTemplate !== undefined;
      const stream = isChat
        ? llm.chat([{ role: 'user', content: prompt }], params, { signal: cancel.signal })
        : llm.stream(prompt, params, { signal: cancel.signal });
      await print(stream, context, cancel.signal);
      return cancel.signal.aborted ? (cancel.signal.reason as InterruptedError).exitCode : 0;
    } finally {
      ignoreSignals();
      if (trace) trace.close();
      await llm.close({ drainTimeoutMs: 0 });
    }
  },
};

function traceSteps(llm: LLM, { stderr }: CommandContext): StepTrace {
  return new StepTrace(llm.engine, (line) => stderr.write(line));
}

type Deltas = AsyncIterable<{
  readonly text: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number };
}>;

async function print(stream: Deltas, context: CommandContext, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  let firstAt: number | undefined;
  let usage = { promptTokens: 0, completionTokens: 0 };
  try {
    for await (const delta of stream) {
      firstAt ??= performance.now();
      usage = delta.usage;
      context.stdout.write(delta.text);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const ended = performance.now();
  context.stdout.write('\n');
  const first = (firstAt ?? ended) - started;
  const decodeSeconds = (ended - started - first) / 1000;
  const rate =
    usage.completionTokens > 1 && decodeSeconds > 0 ? ((usage.completionTokens - 1) / decodeSeconds).toFixed(1) : '-';
  context.stderr.write(
    `${usage.promptTokens} prompt tokens, first token after ${first.toFixed(0)} ms; ${usage.completionTokens} tokens, ${rate} tokens/s\n`,
  );
}

async function readStdin(context: CommandContext): Promise<string> {
  if (context.stdin.isTTY === true) throw new UsageError('no prompt: give --prompt TEXT, or pipe one to stdin');
  const chunks: Buffer[] = [];
  for await (const chunk of context.stdin) chunks.push(Buffer.from(chunk as Buffer));
  const text = Buffer.concat(chunks).toString('utf8').replace(/\n$/, '');
  if (text === '') throw new UsageError('the prompt on stdin is empty');
  return text;
}
