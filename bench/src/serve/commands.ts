import { join } from 'node:path';
import type { BenchArguments } from '../arguments.js';
import { requireEnvironment } from '../peers/environment.js';
import { vllmEnvironment } from '../peers/vllm.js';
import { kvasirBin } from './kvasir-bin.js';
import type { ServerCommand } from './server-process.js';

/** What a server is sized for. */
export interface ServerSize {
  /** Longest sequence. */
  readonly context: number;
  /** Requests side by side. */
  readonly slots: number;
  /** llama-server sets aside a whole context for each slot, so it gets what the work needs. */
  readonly slotContext: number;
}

/** Many short requests. */
export const MANY_SHORT: ServerSize = { context: 2048, slots: 32, slotContext: 512 };
/** A few long ones. */
export const FEW_LONG: ServerSize = { context: 4096, slots: 8, slotContext: 4096 };

/** `kvasir serve` from the built checkout. */
function kvasirCommand(
  model: string,
  threads: number,
  { context, slots }: ServerSize,
  flags: readonly string[],
): ServerCommand {
  const args = [
    kvasirBin(),
    'serve',
    model,
    '--port',
    '{port}',
    '--threads',
    String(threads),
    '--served-model-name',
    'bench',
  ];
  args.push('--max-model-len', String(context), '--max-num-seqs', String(slots), ...flags);
  return { name: 'Kvasir', command: process.execPath, args, model: 'bench', healthPath: '/ready', timeoutMs: 60_000 };
}

/** `llama-server` with one slot a client, each as long as the longest prompt. */
function llamaServerCommand(model: string, threads: number, { slots, slotContext }: ServerSize): ServerCommand {
  const command = join(requireEnvironment('KVASIR_BENCH_LLAMA_CPP'), 'llama-server');
  const args = ['-m', model, '--host', '127.0.0.1', '--port', '{port}', '-t', String(threads), '-tb', String(threads)];
  args.push('-np', String(slots), '-c', String(slots * slotContext), '--no-webui');
  return { name: 'llama.cpp', command, args, model: 'bench', healthPath: '/health', timeoutMs: 60_000 };
}

/** vLLM's OpenAI server on the bfloat16 copy. */
function vllmCommand(threads: number, { context, slots }: ServerSize): ServerCommand {
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
  args.push('--max-model-len', String(context), '--max-num-seqs', String(slots), '--served-model-name', 'bench');
  const env = vllmEnvironment(threads);
  return { name: 'vLLM', command: python, args, env, model: 'bench', healthPath: '/health', timeoutMs: 300_000 };
}

/** Kvasir first, then the peers that were asked for, all on the same weights. */
export function serverCommands(
  model: string,
  { peers, threads, serveFlags }: BenchArguments,
  size: ServerSize,
): ServerCommand[] {
  const commands = [kvasirCommand(model, threads, size, serveFlags)];
  if (peers.includes('llama.cpp')) commands.push(llamaServerCommand(model, threads, size));
  if (peers.includes('vllm')) commands.push(vllmCommand(threads, size));
  return commands;
}
