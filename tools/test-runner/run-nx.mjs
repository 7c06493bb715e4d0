import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { nxCommand } from '../setup/nx.mjs';

/**
 * Runs nx and shows one line a task that passed.
 * @returns Whether everything passed; if not, the output of the tasks that failed has been printed.
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
      const [, task, note] = /^[✔✖] +nx run (\S+)\s*(\[.*\])?$/.exec(line) ?? [];
      if (task === undefined) log.push(line);
      else console.log(`   ${task.replaceAll('"', '')}${note === undefined ? '' : '  (unchanged)'}`);
    }
  };
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  if ((await status) === 0) return true;
  console.log(log.join('\n'));
  return false;
}
