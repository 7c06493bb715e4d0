import { describe, expect, test } from 'vitest';
import { run } from '../src/index.js';
import { version } from '../src/version.js';
import { runInProcess } from './support/run-in-process.js';

const COMMANDS = ['serve', 'generate', 'chat', 'pull', 'models', 'inspect', 'doctor'];

describe('kvasir', () => {
  test('without a command says how it is used, on stderr, and exits 2', async () => {
    const { code, stdout, stderr } = await runInProcess([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^usage: kvasir COMMAND \[options\]\n/);
  });

  test.each(['--help', '-h', 'help'])('%s lists every command', async (argument) => {
    const { code, stdout } = await runInProcess([argument]);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} +\\w`, 'm'));
  });

  test('--version is the version of the package', async () => {
    expect(await runInProcess(['--version'])).toEqual({ code: 0, stdout: `${version()}\n`, stderr: '' });
  });

  test.each([
    ['serv', "kvasir serv: unknown command; did you mean 'serve'?\n"],
    ['inspekt', "kvasir inspekt: unknown command; did you mean 'inspect'?\n"],
    ['xyzzyplugh', 'kvasir xyzzyplugh: unknown command; see kvasir --help\n'],
    ['toString', 'kvasir toString: unknown command; see kvasir --help\n'],
  ])('%s is no command', async (name, stderr) => {
    expect(await runInProcess([name])).toEqual({ code: 2, stdout: '', stderr });
  });

  test('is a library too', () => {
    expect(run).toBeTypeOf('function');
  });
});

describe.each(COMMANDS)('kvasir %s', (command) => {
  test.each(['--help', '-h'])('%s explains it within 100 columns', async (flag) => {
    const { code, stdout, stderr } = await runInProcess([command, flag]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^usage: kvasir ${command}`));
    expect(stdout).toContain('--help, -h');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test('refuses a flag that does not exist', async () => {
    const { code, stdout, stderr } = await runInProcess([command, '--hepl']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`kvasir ${command}: unknown flag --hepl; did you mean --help?\n`);
  });
});

test('help of serve names every flag of the contract, its variable and its default', async () => {
  const { stdout } = await runInProcess(['serve', '--help']);
  const flags = `model served-model-name host port max-model-len dtype max-num-seqs max-num-batched-tokens max-in-flight
    kv-cache-memory-bytes kv-cache-dtype block-size seed api-key admin-key
    trust-request-chat-template threads offline config max-logprobs`.split(/\s+/);
  for (const flag of flags) {
    expect(stdout).toMatch(new RegExp(`^  --${flag}\\b`, 'm'));
    expect(stdout).toContain(`[KVASIR_${flag.replaceAll('-', '_').toUpperCase()}]`);
  }
  expect(stdout).toContain('{auto,float32}');
  expect(stdout).toContain('{auto,float32,float16,bfloat16,int8}');
  expect(stdout).toMatch(/Default:\s+smollm2-135m\./);
  expect(stdout).toMatch(/Default:\s+127\.0\.0\.1\./);
  expect(stdout).toMatch(/Default:\s+8000\./);
});

test.each([
  [['serve', '--prot', '1'], 'unknown flag --prot; did you mean --port?'],
  [['serve', '--max-model-length', '1'], 'unknown flag --max-model-length; did you mean --max-model-len?'],
  [['serve', '--kv-cache-type', 'x'], 'unknown flag --kv-cache-type; did you mean --kv-cache-dtype?'],
  [['serve', '--gpu-memory-utilization', '0.9'], 'unknown flag --gpu-memory-utilization; see --help'],
  [['serve', '--dtype', 'int4'], "--dtype: expected one of auto, float32, got 'int4'"],
  [['serve', '--max-num-seqs', '0'], "--max-num-seqs: expected a whole number from 1 to 4096, got '0'"],
  [['serve', '--max-num-seqs', '1e3'], "--max-num-seqs: expected a whole number from 1 to 4096, got '1e3'"],
  [['serve', '--threads', '-2'], "--threads: expected a whole number from 1 to 1024, got '-2'"],
  [['serve', '--seed', '1.5'], "--seed: expected a whole number of at least 0, got '1.5'"],
  [['serve', '--block-size', '24'], '--block-size: expected a multiple of 16, got 24'],
  [['serve', 'a', '--model', 'b'], "the model is given twice: 'a' and --model 'b'"],
  [['serve', 'a', 'b'], "unexpected argument 'b'"],
  [['generate', '--temperature', 'hot'], "--temperature: expected a number from 0 to 100, got 'hot'"],
  [['generate', '--temperature=-1'], "--temperature: expected a number from 0 to 100, got '-1'"],
  [['generate', '--top-p', '0'], "--top-p: expected a number above 0 and up to 1, got '0'"],
  [['generate', '--top-p', '1.5'], "--top-p: expected a number above 0 and up to 1, got '1.5'"],
  [['generate', '--max-tokens', '0'], "--max-tokens: expected a whole number of at least 1, got '0'"],
  [['generate', '--max-num-seqs', '2'], 'unknown flag --max-num-seqs; see --help'],
  [['generate'], 'the prompt on stdin is empty'],
  [['inspect'], 'expected the path of a checkpoint; see kvasir inspect --help'],
  [['inspect', '--jsn', 'x'], 'unknown flag --jsn; did you mean --json?'],
  [['doctor', 'x'], "unexpected argument 'x'"],
])('%j is a wrong command line', async (argv, message) => {
  expect(await runInProcess(argv)).toEqual({ code: 2, stdout: '', stderr: `kvasir ${argv[0]}: ${message}\n` });
});

test('a variable and a service of Kubernetes can meet', async () => {
  const { code, stderr } = await runInProcess(['serve'], { environment: { KVASIR_PORT: 'tcp://10.0.0.7:80' } });
  expect(code).toBe(2);
  expect(stderr).toBe(
    "kvasir serve: KVASIR_PORT, set by Kubernetes unless the pod has enableServiceLinks: false: expected a whole number from 0 to 65535, got 'tcp://10.0.0.7:80'\n",
  );
});
