import type { KvasirServer } from '@kvasir/server';
import { onShutdownSignal, type ShutdownSignal } from '../commands/shutdown.js';
import type { ServeReporter } from './serve-reporter.js';
import type { SecretSource } from './serve-secrets.js';
import { tellSupervisor } from './supervised.js';

/** What asks a server to end. */
export interface ShutdownWatch {
  /** The first signal. */
  readonly requested: Promise<ShutdownSignal>;
  /** The second, which cuts off what still runs. */
  readonly forcedBy: ShutdownSignal | undefined;
  stopWatching(): void;
}

/**
 * The first signal is for the caller; further ones end what still runs. A server whose supervisor is gone ends as with SIGTERM.
 * @param port - Where it listens.
 */
export function watchForShutdown(server: KvasirServer, port: number): ShutdownWatch {
  let resolveRequested: (signal: ShutdownSignal) => void;
  const requested = new Promise<ShutdownSignal>((resolve) => {
    resolveRequested = resolve;
  });
  let isFirst = true;
  let forcedBy: ShutdownSignal | undefined;
  const stopWatching = onShutdownSignal((signal) => {
    if (isFirst) resolveRequested(signal);
    else {
      forcedBy ??= signal;
      void server.close({ drainTimeoutMs: 0 });
    }
    isFirst = false;
  });
  tellSupervisor(port, () => resolveRequested('SIGTERM'));
  return {
    requested,
    get forcedBy() {
      return forcedBy;
    },
    stopWatching,
  };
}

/**
 * Reads keys and certificate again at each SIGHUP, if there are files of them; without, SIGHUP ends the program as it ends any.
 * @returns Ends that.
 */
export function reloadAtHangup(source: SecretSource, server: KvasirServer, reporter: ServeReporter): () => void {
  if (!source.hasFiles) return () => {};
  // One after the other: the last to come has the last word.
  let last = Promise.resolve();
  const reload = () => {
    last = last
      .then(() => source.refresh(server))
      .then(
        ({ apiKeys, tls }) => reporter.reloaded({ numApiKeys: apiKeys.length, hasTls: tls !== undefined }),
        (error: Error) => reporter.reloadFailed(error.message),
      );
  };
  process.on('SIGHUP', reload);
  return () => process.off('SIGHUP', reload);
}
