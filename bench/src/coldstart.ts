import { spawn } from 'node:child_process';
import { request } from 'node:http';
import type { BenchArguments } from './arguments.js';
import { locateModel } from './peers/locate-model.js';
import { printTable, writeReport } from './report.js';
import { MANY_SHORT, serverCommands } from './serve/commands.js';
import { freePort, type ServerCommand } from './serve/server-process.js';
import { pairedRatio, spread } from './statistics.js';

/** Process spawn to the first streamed token over HTTP, each engine in turn, a fresh process every time. */
export async function runColdStart(args: BenchArguments): Promise<void> {
  const path = await locateModel(args.models[0] ?? 'smollm2-135m');
  const commands = serverCommands(path, args, MANY_SHORT);
  const samples: Record<string, number[]> = Object.fromEntries(commands.map((command) => [command.name, []]));
  for (let round = -1; round < args.rounds; round++) {
    for (const command of commands) {
      const seconds = await coldStartSeconds(command);
      if (round >= 0) samples[command.name]?.push(seconds);
    }
  }
  const own = samples.Kvasir as number[];
  const rows = [['server', 'seconds median', 'min..max', 'server / Kvasir']];
  const results = Object.entries(samples).map(([server, seconds]) => {
    const seen = spread(seconds);
    const ratio = pairedRatio(seconds, own);
    rows.push([
      server,
      seen.median.toFixed(3),
      `${seen.min.toFixed(3)}..${seen.max.toFixed(3)}`,
      `${ratio.median.toFixed(2)}x`,
    ]);
    return { server, seconds: seen, serverToKvasir: ratio, samples: seconds };
  });
  printTable(rows);
  if (args.write) {
    const settings = { rounds: args.rounds, threads: args.threads };
    console.log(
      `\nwrote ${await writeReport({ name: 'coldstart', command: args.commandLine, versions: {}, settings, results })}`,
    );
  }
}

/** Spawns the server, asks until it answers, and takes the time of the first content chunk. */
async function coldStartSeconds(options: ServerCommand): Promise<number> {
  const port = await freePort();
  const args = options.args.map((arg) => arg.replace('{port}', String(port)));
  const started = performance.now();
  const child = spawn(options.command, args, { env: options.env ?? process.env, stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    while (performance.now() - started < options.timeoutMs) {
      if (child.exitCode !== null) throw new Error(`${options.name} exited with ${child.exitCode}`);
      const at = await firstToken(port, options.model);
      if (at !== undefined) return (at - started) / 1000;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`${options.name} gave no token within ${options.timeoutMs} ms`);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

function firstToken(port: number, model: string): Promise<number | undefined> {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 4,
    temperature: 0,
    stream: true,
  });
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/chat/completions', headers },
      (response) => {
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          if (response.statusCode === 200 && /"content":"[^"]/.test(chunk)) {
            resolve(performance.now());
            call.destroy();
          }
        });
        response.on('end', () => resolve(undefined));
        response.on('error', () => resolve(undefined));
      },
    );
    call.on('error', () => resolve(undefined));
    call.end(body);
  });
}
