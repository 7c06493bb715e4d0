import { parseArgs } from 'node:util';
import type { KvCacheDtype } from '@kvasir/interfaces';

/** Benchmarks that `npm run bench -- NAME` knows. */
const BENCH_NAMES = [
  'decode',
  'prefill',
  'batch',
  'steps',
  'serve',
  'coldstart',
  'stall',
  'prefix',
  'soak',
  'simulate',
  'scheduler',
  'blocks',
] as const;

/** One of {@link BENCH_NAMES}. */
type BenchName = (typeof BENCH_NAMES)[number];

/** Checked arguments of a benchmark run. */
export interface BenchArguments {
  readonly name: BenchName;
  readonly peers: readonly PeerName[];
  readonly models: readonly string[];
  readonly rounds: number;
  readonly threads: number;
  /** Tokens before the ones that are generated, a work each. */
  readonly contexts: readonly number[];
  /** Largest of `contexts`. */
  readonly maxContext: number;
  /** Sequences side by side; `undefined` is the benchmark's own list. */
  readonly batches: readonly number[] | undefined;
  /** A Kvasir engine for each; the first is the one that ratios are about. */
  readonly maxInFlight: readonly (1 | 2)[];
  readonly kvCacheDtypes: readonly KvCacheDtype[];
  readonly clients: readonly number[];
  readonly requests: number;
  /** How long `soak` loads the server. */
  readonly seconds: number;
  /** Further flags of `kvasir serve` for the benchmarks over HTTP. */
  readonly serveFlags: readonly string[];
  readonly write: boolean;
  /** Name of the files under bench/results. */
  readonly resultName: string;
  readonly commandLine: string;
}

/** Engines that Kvasir is measured against. */
type PeerName = 'llama.cpp' | 'vllm';

const KV_DTYPES: readonly KvCacheDtype[] = ['auto', 'float32', 'float16', 'bfloat16', 'int8'];

const PEERS: readonly string[] = ['llama.cpp', 'vllm'];

/** Text of `--help`. */
export const HELP = `usage: npm run bench -- NAME [options]

NAME        ${BENCH_NAMES.join(' | ')}
--peers     llama.cpp,vllm      engines measured in the same rounds (default: none)
--models    smollm2-135m,...    catalogue names or paths (default: smollm2-135m)
--rounds N                      interleaved rounds (default 5)
--threads N                     compute threads of every engine (default 2)
--contexts  16,4096             prompt tokens before decoding, for decode, batch and steps (default 16)
--batches   1,8,32              sequences side by side, for decode, batch and steps
--max-in-flight 1,2             a Kvasir engine for each (default 1)
--kv-cache-dtypes auto,int8     a Kvasir engine for each (default auto)
--clients   1,8,32              closed-loop clients of serve
--seconds N                     load of soak (default 1800)
--serve-flags='--x 1 --y'       further flags of kvasir serve
--label NAME                    written as bench/results/<date>-<bench>-NAME
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
      contexts: { type: 'string', default: '16' },
      batches: { type: 'string' },
      'max-in-flight': { type: 'string', default: '1' },
      'kv-cache-dtypes': { type: 'string', default: 'auto' },
      clients: { type: 'string', default: '1,8,32' },
      seconds: { type: 'string', default: '1800' },
      'serve-flags': { type: 'string', default: '' },
      label: { type: 'string' },
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
  const contexts = positives('--contexts', values.contexts);
  return {
    name: name as BenchName,
    peers: peers as PeerName[],
    models: splitList(values.models),
    rounds: positive('--rounds', values.rounds),
    threads: positive('--threads', values.threads),
    contexts,
    maxContext: Math.max(...contexts),
    batches: values.batches === undefined ? undefined : positives('--batches', values.batches),
    maxInFlight: positives('--max-in-flight', values['max-in-flight']).map((value) =>
      oneOf('--max-in-flight', value, [1, 2]),
    ),
    kvCacheDtypes: splitList(values['kv-cache-dtypes']).map((value) =>
      oneOf('--kv-cache-dtypes', value as KvCacheDtype, KV_DTYPES),
    ),
    clients: positives('--clients', values.clients),
    requests: positive('--requests', values.requests),
    seconds: positive('--seconds', values.seconds),
    serveFlags: values['serve-flags'].split(' ').filter((flag) => flag !== ''),
    write: !values['no-write'],
    resultName: values.label === undefined ? name : `${name}-${values.label}`,
    commandLine: `npm run bench -- ${argv.join(' ')}`,
  };
}

function splitList(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

function positives(flag: string, text: string): number[] {
  const values = splitList(text).map((part) => positive(flag, part));
  if (values.length === 0) throw new Error(`${flag}: expected positive integers, got '${text}'`);
  return values;
}

function oneOf<T>(flag: string, value: T | number, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new Error(`${flag}: expected ${allowed.join(' or ')}, got '${value}'`);
  return found;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag}: expected a positive integer, got '${text}'`);
  return value;
}
