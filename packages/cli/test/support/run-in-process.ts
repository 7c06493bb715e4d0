import { Readable } from 'node:stream';
import { run } from '../../src/run.js';

/** What a command said and how it ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process. Its environment is `environment` alone. */
export async function runInProcess(
  argv: readonly string[],
  { environment = {}, stdin = '' }: { environment?: NodeJS.ProcessEnv; stdin?: string } = {},
): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write(text: string) {
      said[name] += text;
    },
  });
  const code = await run(argv, {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin: Readable.from([Buffer.from(stdin)]),
    environment,
  });
  return { code, ...said };
}
