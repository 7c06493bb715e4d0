import { parseArgs } from 'node:util';

/** Benchmarks that `npm run bench -- NAME` knows. */
const BENCH_NAMES = ['decode', 'prefill', 'batch', 'serve', 'coldstart', 'scheduler'] as const;

/** One of {@link BENCH_NAMES}. */
type BenchName = (typeof BENCH_NAMES)[number];

/** Checked arguments of a benchmark run. */
export interface BenchArguments {
  readonly name: BenchName;
  readonly peers: readonly PeerName[];
  readonly models: readonly string[];
  readonly rounds: number;
  readonly threads: number;
  readonly clients: readonly number[];
  readonly requests: number;
  readonly write: boolean;
  readonly commandLine: string;
}

/** Engines that Kvasir is measured against. */
type PeerName = 'llama.cpp' | 'vllm';

const PEERS: readonly string[] = ['llama.cpp', 'vllm'];

/** Text of `--help`. */
export const HELP = `usage: npm run bench -- NAME [options]

NAME        ${BENCH_NAMES.join(' | ')}
--peers     llama.cpp,vllm      engines measured in the same rounds (default: none)
--models    smollm2-135m,...    catalogue names or paths (default: smollm2-135m)
--rounds N                      interleaved rounds (default 5)
--threads N                     compute threads of every engine (default 2)
--clients   1,8,32              closed-loop clients of serve
--requests N                    requests per client and round of serve (default 4)
--no-write                      print only, keep bench/results as it is

Peers are found through the environment:
  KVASIR_BENCH_LLAMA_CPP   folder with llama-bench, llama-batched-bench and llama-server
  KVASIR_BENCH_VLLM        Python interpreter that imports vllm
  KVASIR_BENCH_VLLM_MODEL  folder with the same weights as bfloat16 safetensors (see src/peers/vllm_prepare.py)
`;

/** Parses a command line; throws an error whose message says what was wrong. */
export function parseBenchArguments(argv: readonly string[]): BenchArguments | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      peers: { type: 'string', default: '' },
      models: { type: 'string', default: 'smollm2-135m' },
      rounds: { type: 'string', default: '5' },
      threads: { type: 'string', default: '2' },
      clients: { type: 'string', default: '1,8,32' },
      requests: { type: 'string', default: '4' },
      'no-write': { type: 'boolean', default: false },
    },
  });
  if (values.help === true) return 'help';
  const [name, ...rest] = positionals;
  if (name === undefined || !(BENCH_NAMES as readonly string[]).includes(name) || rest.length > 0) {
    throw new Error(`expected one benchmark name (${BENCH_NAMES.join(', ')}), got '${positionals.join(' ')}'`);
  }
  const peers = splitList(values.peers);
  const unknown = peers.find((peer) => !PEERS.includes(peer));
  if (unknown !== undefined) throw new Error(`--peers: expected ${PEERS.join(' or ')}, got '${unknown}'`);
  return {
    name: name as BenchName,
    peers: peers as PeerName[],
    models: splitList(values.models),
    rounds: positive('--rounds', values.rounds),
    threads: positive('--threads', values.threads),
    clients: splitList(values.clients).map((text) => positive('--clients', text)),
    requests: positive('--requests', values.requests),
    write: !values['no-write'],
    commandLine: `npm run bench -- ${argv.join(' ')}`,
  };
}

function splitList(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag}: expected a positive integer, got '${text}'`);
  return value;
}
