import { createServer } from '@kvasir/server';
import type { Command } from '../command.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { closeServed, loadServed, numUnfinished, type Served } from '../serve/load-served.js';
import { pinPrompts, readPinnedPrompts } from '../serve/pinned-prompts.js';
import { collectServeFacts } from '../serve/serve-facts.js';
import { serveFlags } from '../serve/serve-flags.js';
import { openServeOutput, type ServeOutput } from '../serve/serve-output.js';
import { createServeReporter, type LogFormat } from '../serve/serve-reporter.js';
import { SecretSource } from '../serve/serve-secrets.js';
import { reloadAtHangup, watchForShutdown } from '../serve/serve-signals.js';
import { serverOptions } from '../serve/server-options.js';
import { supervise } from '../serve/supervise.js';
import { isSupervised, portBefore } from '../serve/supervised.js';
import { numberFlag } from './load-llm.js';
import { CUT_OFF_EXIT, InterruptedError, signalExit } from './shutdown.js';

/** `kvasir serve`: a model, or a language model and an encoder, over HTTP until a signal ends it. */
export const serve: Command = {
  help: {
    usage: 'kvasir serve [MODEL] [options]',
    summary: 'Serves a model over HTTP, compatible with the OpenAI API.',
    flags: serveFlags,
    notes: ['The command line comes before the environment, which comes before --config.'],
  },
  maxPositionals: 1,
  async run(flags, context) {
    if (flags.values.get('supervise') === true && !isSupervised()) return supervise(flags, context);
    const { warning } = createServeReporter(flags.values.get('log-format') as LogFormat, context);
    const source = new SecretSource(flags, warning);
    // Before the model: nobody waits for one to learn that a certificate is wrong. Keys are not held meanwhile.
    serverOptions(flags, await source.read());
    const sizes = { maxLogprobs: numberFlag(flags, 'max-logprobs'), maxQueuedRequests: numberFlag(flags, 'max-queue') };
    const pinned = await readPinnedPrompts(flags);
    const extra = { ...sizes, maxPinnedShare: pinned.maxShare };
    const served = await loadServed(flags, context, extra).catch((error: unknown) => {
      if (error instanceof InterruptedError) return undefined;
      throw error;
    });
    // Asked to end before it began: nothing was lost.
    if (served === undefined) return 0;
    const output = openServeOutput(served.llm, flags, context);
    try {
      if (served.llm !== undefined) await pinPrompts(served.llm, pinned);
      return await serveModels(served, flags, output, source);
    } finally {
      output.close();
      await closeServed(served);
    }
  },
};

async function serveModels(
  served: Served,
  flags: ParsedFlags,
  output: ServeOutput,
  source: SecretSource,
): Promise<number> {
  const { reporter } = output;
  const { server, address, facts } = await openServer(served, flags, output, source);
  // Before anybody is told that there is a server: who reads it may send a signal at once.
  const shutdown = watchForShutdown(server, address.port);
  const stopReloading = reloadAtHangup(source, server, reporter);
  if (!facts.needsKey && !isLoopback(address.host)) {
    reporter.warning(`${address.host} is open to the network and there is no --api-key: anybody may use it`);
  }
  reporter.ready(facts);
  const signal = await shutdown.requested;
  const seconds = numberFlag(flags, 'drain-timeout') as number;
  const numRequests = numUnfinished(served);
  if (numRequests > 0) reporter.draining(signal, numRequests, seconds);
  const { numAborted } = await server.close({ drainTimeoutMs: seconds * 1000 });
  shutdown.stopWatching();
  stopReloading();
  const { forcedBy } = shutdown;
  const outcome = numAborted === 0 ? 'drained' : forcedBy === undefined ? 'timeout' : 'forced';
  reporter.stopped({ signal, outcome, numAborted });
  if (outcome === 'drained') return 0;
  return forcedBy === undefined ? CUT_OFF_EXIT : signalExit(forcedBy);
}

/** A server that listens, and what there is to say of it. Keys are gone once it has hashed them. */
async function openServer(served: Served, flags: ParsedFlags, { context }: ServeOutput, source: SecretSource) {
  const { name, llm, embedding } = served;
  const secrets = await source.read();
  const server = createServer(llm, {
    ...serverOptions(flags, secrets),
    ...(llm === undefined ? {} : { servedModelNames: [name] }),
    ...(embedding === undefined ? {} : { embedders: [{ embedder: embedding.embedder, names: [embedding.name] }] }),
    logger: flags.values.get('enable-log-requests') === true && { stream: context.stderr },
  });
  const port = (numberFlag(flags, 'port') as number) || portBefore();
  const address = await server.listen({ host: String(flags.values.get('host')), port }).catch(async (error) => {
    await server.close({ drainTimeoutMs: 0 });
    throw error;
  });
  const facts = collectServeFacts(served, {
    url: address.url,
    blockSize: numberFlag(flags, 'block-size') as number,
    needsKey: secrets.apiKeys.length > 0,
    hasAdminKey: flags.values.has('admin-key'),
    isKeyInShell: secrets.apiKeys.some(({ key }) => key === context.environment['KVASIR_API_KEY']),
  });
  return { server, address, facts };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
