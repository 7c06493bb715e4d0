import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { nxCommand } from '../setup/nx.mjs';

/**
 * Runs nx and shows one line a finished task.
 * @returns Whether everything passed; if not, all that nx said has been printed.
 */
export async function runNx(root, args) {
  const child = spawn(process.execPath, [nxCommand(root), ...args], {
    cwd: root,
    env: { ...process.env, NX_DAEMON: 'false', NO_COLOR: '1', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const status = new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const log = [];
  const collect = async (stream) => {
    for await (const line of createInterface({ input: stream })) {
      log.push(line);
      const task = /^\s*(?:[✔✖✓✗] +|> +)nx run (.*)$/.exec(line);
      if (task !== null) console.log(`   ${task[1].replaceAll('"', '')}`);
    }
  };
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  if ((await status) === 0) return true;
  console.log(log.join('\n'));
  return false;
}
