import { basename } from 'node:path';
import type { LLM } from '@kvasir/engine';
import { createServer, type KvasirServer } from '@kvasir/server';
import type { Command } from '../command.js';
import type { Flag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { collectServeFacts } from '../serve/serve-facts.js';
import { openServeOutput, type ServeOutput, serveOutputFlags } from '../serve/serve-output.js';
import { version } from '../version.js';
import { loadLlm, modelName, numberFlag } from './load-llm.js';
import { engineFlags, modelFlags } from './model-flags.js';
import { InterruptedError, onShutdownSignal, type ShutdownSignal } from './shutdown.js';

const serveFlags: readonly Flag[] = [
  ...modelFlags,
  {
    kind: 'string',
    name: 'served-model-name',
    placeholder: 'NAME',
    defaultText: 'the model as given',
    description: 'Name that requests and /v1/models use.',
  },
  { kind: 'string', name: 'host', placeholder: 'ADDRESS', default: '127.0.0.1', description: 'Address to listen on.' },
  {
    kind: 'integer',
    name: 'port',
    minimum: 0,
    maximum: 65_535,
    default: 8000,
    description: 'Port to listen on; 0 picks a free one.',
  },
  ...engineFlags,
  {
    kind: 'integer',
    name: 'max-logprobs',
    minimum: 0,
    maximum: 1024,
    default: 64,
    description: 'Most alternatives a request may ask for with logprobs.',
  },
  {
    kind: 'integer',
    name: 'max-queue',
    minimum: 1,
    default: 1024,
    description: 'Requests that may wait; further ones get a 429.',
  },
  {
    kind: 'string',
    name: 'api-key',
    placeholder: 'KEY',
    description: 'Key that every request but /health and /ready must carry.',
  },
  {
    kind: 'string',
    name: 'admin-key',
    placeholder: 'KEY',
    description: 'Key of /reset_prefix_cache, /abort_requests, /server_info and /kv_events; without it there are none.',
  },
  {
    kind: 'boolean',
    name: 'trust-request-chat-template',
    default: false,
    description: 'Render chat templates that requests bring (sandboxed and bounded).',
  },
  {
    kind: 'integer',
    name: 'shutdown-timeout',
    minimum: 0,
    maximum: 86_400,
    default: 30,
    description: 'Seconds that running requests get to end after SIGINT or SIGTERM.',
  },
  {
    kind: 'boolean',
    name: 'enable-log-requests',
    default: false,
    description: 'Log one line a request to stderr (never its text).',
  },
  ...serveOutputFlags,
  { kind: 'string', name: 'config', placeholder: 'FILE', description: 'YAML file with any of these flags.' },
];

/** `kvasir serve`: one model over HTTP until a signal ends it. */
export const serve: Command = {
  help: {
    usage: 'kvasir serve [MODEL] [options]',
    summary: 'Serves a model over HTTP, compatible with the OpenAI API.',
    flags: serveFlags,
    notes: ['The command line comes before the environment, which comes before --config.'],
  },
  maxPositionals: 1,
  async run(flags, context) {
    const sizes = { maxLogprobs: numberFlag(flags, 'max-logprobs'), maxQueuedRequests: numberFlag(flags, 'max-queue') };
    const llm = await loadLlm(flags, context, sizes).catch((error: unknown) => {
      if (error instanceof InterruptedError) return undefined;
      throw error;
    });
    // Asked to end before it began: nothing was lost.
    if (llm === undefined) return 0;
    const output = openServeOutput(llm, flags, context);
    try {
      return await serveLlm(llm, flags, output);
    } finally {
      output.close();
      await llm.close({ drainTimeoutMs: 0 });
    }
  },
};

async function serveLlm(llm: LLM, flags: ParsedFlags, { context, reporter }: ServeOutput): Promise<number> {
  const host = String(flags.values.get('host'));
  const apiKey = flags.values.get('api-key') as string | undefined;
  const adminKey = flags.values.get('admin-key') as string | undefined;
  const name = (flags.values.get('served-model-name') as string | undefined) ?? displayName(modelName(flags));
  const server = createServer(llm, {
    servedModelNames: [name],
    apiKeys: apiKey === undefined ? [] : [apiKey],
    ...(adminKey === undefined ? {} : { adminKey }),
    trustRequestChatTemplate: flags.values.get('trust-request-chat-template') === true,
    maxLogprobs: numberFlag(flags, 'max-logprobs') as number,
    version: version(),
    logger: flags.values.get('enable-log-requests') === true && { stream: context.stderr },
  });
  const address = await server.listen({ host, port: numberFlag(flags, 'port') as number }).catch(async (error) => {
    await server.close({ drainTimeoutMs: 0 });
    throw error;
  });
  // Before anybody is told that there is a server: who reads it may send a signal at once.
  const shutdown = watchForShutdown(server);
  if (apiKey === undefined && !isLoopback(host)) {
    context.stderr.write(`warning: ${host} is open to the network and there is no --api-key: anybody may use it\n`);
  }
  reporter.ready(
    collectServeFacts(llm, {
      model: name,
      url: address.url,
      blockSize: numberFlag(flags, 'block-size') as number,
      needsKey: apiKey !== undefined,
      hasAdminKey: adminKey !== undefined,
      isKeyInShell: apiKey !== undefined && context.environment['KVASIR_API_KEY'] === apiKey,
    }),
  );
  const signal = await shutdown.requested;
  const seconds = numberFlag(flags, 'shutdown-timeout') as number;
  const { numRunning, numWaiting } = llm.engine.stats();
  if (numRunning + numWaiting > 0) reporter.draining(signal, numRunning + numWaiting, seconds);
  await server.close({ drainTimeoutMs: seconds * 1000 });
  shutdown.stopWatching();
  reporter.stopped(signal);
  return 0;
}

/** The first signal is for the caller; further ones end what still runs. */
function watchForShutdown(server: KvasirServer) {
  let stopWatching = () => {};
  const requested = new Promise<ShutdownSignal>((resolve) => {
    let isFirst = true;
    stopWatching = onShutdownSignal((signal) => {
      if (isFirst) resolve(signal);
      else void server.close({ drainTimeoutMs: 0 });
      isFirst = false;
    });
  });
  return { requested, stopWatching };
}

function displayName(model: string): string {
  return model.includes('/') || model.endsWith('.gguf') ? basename(model).replace(/\.gguf$/, '') : model;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
