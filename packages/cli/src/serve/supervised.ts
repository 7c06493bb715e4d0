import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProcessEnd, ServerProcess } from './supervisor.js';

/** In the environment of a supervised server: the port that it had before it crashed, 0 the first time. */
const VARIABLE = 'KVASIR_SUPERVISED_PORT';

/** Where the command lies, seen from a bundle of `dist`. */
const BIN = fileURLToPath(new URL('../bin/kvasir.js', import.meta.url));

/**
 * Starts `kvasir serve` as a child process in a process group of its own, so that the keys of a terminal reach it through
 * its supervisor only.
 * @param onPort - Called with its port once it listens.
 */
export function spawnServer(argv: readonly string[], port: number, onPort: (port: number) => void): ServerProcess {
  const child = spawn(process.execPath, [...process.execArgv, BIN, 'serve', ...argv], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
    env: { ...process.env, [VARIABLE]: String(port) },
  });
  let wasReady = false;
  child.on('message', (message) => {
    wasReady = true;
    onPort((message as { readonly port: number }).port);
  });
  const ended = new Promise<ProcessEnd>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return {
    pid: child.pid,
    get wasReady() {
      return wasReady;
    },
    ended,
    kill: (signal) => void child.kill(signal),
  };
}

/** Whether this process is the child of a supervisor. */
export function isSupervised(): boolean {
  return process.env[VARIABLE] !== undefined && process.send !== undefined;
}

/** Port that a supervised server had before it crashed, where it may choose: clients know that one. */
export function portBefore(): number {
  return isSupervised() ? Number(process.env[VARIABLE]) : 0;
}

/**
 * Tells the supervisor, if there is one, that this process listens.
 * @param onOrphaned - Called when the supervisor is gone: nobody would pass signals on.
 */
export function tellSupervisor(port: number, onOrphaned: () => void): void {
  if (!isSupervised()) return;
  process.once('disconnect', onOrphaned);
  process.send?.({ port });
  process.channel?.unref();
}
