import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchArguments } from '../arguments.js';
import { requireEnvironment } from '../peers/environment.js';
import { vllmEnvironment } from '../peers/vllm.js';
import type { ServerCommand } from './server-process.js';

const CONTEXT = 2048;
const MAX_CLIENTS = 32;

/** `kvasir serve` from the built checkout. */
function kvasirCommand(model: string, threads: number): ServerCommand {
  const bin = fileURLToPath(new URL('../../packages/cli/bin/kvasir.js', import.meta.url));
  const args = [bin, 'serve', model, '--port', '{port}', '--threads', String(threads), '--served-model-name', 'bench'];
  args.push('--max-model-len', String(CONTEXT), '--max-num-seqs', String(MAX_CLIENTS));
  return { name: 'Kvasir', command: process.execPath, args, model: 'bench', healthPath: '/ready', timeoutMs: 60_000 };
}

/** `llama-server` with one slot a client. */
function llamaServerCommand(model: string, threads: number): ServerCommand {
  const command = join(requireEnvironment('KVASIR_BENCH_LLAMA_CPP'), 'llama-server');
  const args = ['-m', model, '--host', '127.0.0.1', '--port', '{port}', '-t', String(threads), '-tb', String(threads)];
  args.push('-np', String(MAX_CLIENTS), '-c', String(MAX_CLIENTS * 512), '--no-webui');
  return { name: 'llama.cpp', command, args, model: 'bench', healthPath: '/health', timeoutMs: 60_000 };
}

/** vLLM's OpenAI server on the bfloat16 copy. */
function vllmCommand(threads: number): ServerCommand {
  const python = requireEnvironment('KVASIR_BENCH_VLLM');
  const model = requireEnvironment('KVASIR_BENCH_VLLM_MODEL');
  const args = [
    '-m',
    'vllm.entrypoints.openai.api_server',
    '--model',
    model,
    '--host',
    '127.0.0.1',
    '--port',
    '{port}',
    '--dtype',
    'bfloat16',
  ];
  args.push('--max-model-len', String(CONTEXT), '--max-num-seqs', String(MAX_CLIENTS), '--served-model-name', 'bench');
  const env = vllmEnvironment(threads);
  return { name: 'vLLM', command: python, args, env, model: 'bench', healthPath: '/health', timeoutMs: 300_000 };
}

/** Kvasir first, then the peers that were asked for, all on the same weights. */
export function serverCommands(model: string, { peers, threads }: BenchArguments): ServerCommand[] {
  const commands = [kvasirCommand(model, threads)];
  if (peers.includes('llama.cpp')) commands.push(llamaServerCommand(model, threads));
  if (peers.includes('vllm')) commands.push(vllmCommand(threads));
  return commands;
}
