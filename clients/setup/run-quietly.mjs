import { spawn } from 'node:child_process';

/** What an install resolves to when there is no way to its registry. */
export const UNREACHABLE = 'unreachable';

/** What npm, pip and uv say when there is no network, rather than something wrong with what was asked for. */
const NO_NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|NewConnectionError|ConnectTimeoutError|name resolution|dns error|tcp connect error|network is unreachable|operation timed out/i;

/**
 * Runs a command to its end.
 * @returns Whether it passed; `'unreachable'` when the network was not there.
 * @throws With all it said, when it failed for another reason.
 */
export async function runQuietly(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (status === 0) return 'done';
  if (NO_NETWORK.test(output)) return UNREACHABLE;
  throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${output}`);
}
