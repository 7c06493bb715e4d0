import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Cost of `schedule` + `commit`: the scheduler's own benchmark, in a process of its own. */
export async function runScheduler(): Promise<void> {
  const script = fileURLToPath(new URL('../../packages/scheduler/bench/step-cost.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: 'inherit' });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`${script} exited with ${code}`);
}
