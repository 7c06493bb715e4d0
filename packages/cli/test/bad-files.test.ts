import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '@kvasir/model';
import { beforeAll, describe, expect, test } from 'vitest';
import { runInProcess } from './support/run-in-process.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { tinyTensors, writeTinyModel } from './support/tiny-checkpoint.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
let good: Buffer;

beforeAll(async () => {
  await writeTinyModel(at('good.gguf'));
  good = readFileSync(at('good.gguf'));
});

/** Eight little-endian bytes. */
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** The good file with some of its bytes replaced. */
const patched = (offset: number, bytes: Uint8Array) => {
  const copy = Buffer.from(good);
  copy.set(bytes, offset);
  return copy;
};

const safetensors = (header: string, dataBytes: number) =>
  Buffer.concat([u64(BigInt(header.length)), Buffer.from(header), Buffer.alloc(dataBytes)]);

/** The good file with another type number at a tensor of two dimensions. */
const retyped = (name: string, type: number) =>
  patched(good.indexOf(name) + name.length + 4 + 2 * 8, Uint8Array.of(type, 0, 0, 0));

const without = (name: string) => tinyTensors().filter((tensor) => tensor.name !== name);
const replaced = (name: string, change: Partial<TensorData>) =>
  tinyTensors().map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor));

/** What it is, how it is made, and what is said about it after its name; a folder's starts with the file. */
type BadFile = readonly [name: string, make: (path: string) => unknown, message: string];

const write = (bytes: () => Uint8Array | string) => (path: string) => writeFileSync(path, bytes());

const ONE_TENSOR = safetensors('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16);

const LLAMA_CONFIG = '{"architectures":["LlamaForCausalLM"]}';

function writeFolder(path: string, config: string, tensors = ONE_TENSOR): void {
  mkdirSync(path);
  writeFileSync(join(path, 'model.safetensors'), tensors);
  writeFileSync(join(path, 'config.json'), config);
}

/** Headers that cannot be read: `inspect` refuses them like `serve`. */
const UNREADABLE: readonly BadFile[] = [
  ['empty.gguf', write(() => ''), 'magic: file is truncated: it ends at byte 0, 4 needed'],
  [
    'text.gguf',
    write(() => 'this is no model at all, only text'),
    'magic: got 0x73696874, expected 0x46554747 ("GGUF"): this is not a GGUF file',
  ],
  [
    'old.gguf',
    write(() => patched(4, Uint8Array.of(1, 0, 0, 0))),
    'version: got 1, expected 2 or 3; convert the model again',
  ],
  [
    'big-endian.gguf',
    write(() => patched(4, Uint8Array.of(0, 0, 0, 3))),
    'version: the file is big-endian; convert it to little-endian',
  ],
  [
    'cut-in-count.gguf',
    write(() => good.subarray(0, 20)),
    'key count: file is truncated: it ends at byte 20, 24 needed',
  ],
  ['cut-in-key.gguf', write(() => good.subarray(0, 40)), 'tensor count: got 11, expected at most 0 in this file'],
  [
    'cut-in-vocabulary.gguf',
    write(() => good.subarray(0, 700)),
    'tokenizer.ggml.tokens: got 24 elements of string, but at most 21 fit into the file',
  ],
  [
    'cut-in-tensors.gguf',
    write(() => good.subarray(0, 1400)),
    'tensor blk.0.attn_v.weight: file is truncated: it ends at byte 1400, 1401 needed',
  ],
  [
    'cut-in-weights.gguf',
    write(() => good.subarray(0, good.length - 1000)),
    'tensor blk.0.ffn_down.weight: file is truncated: it ends at byte 130520, this tensor needs bytes up to 131520. Download it again',
  ],
  [
    'many-tensors.gguf',
    write(() => patched(8, u64(2n ** 60n))),
    'tensor count: got 1152921504606846976 at byte 8, expected at most 2^53 - 1',
  ],
  [
    'many-settings.gguf',
    write(() => patched(16, u64(2n ** 40n))),
    'key count: got 1099511627776, expected at most 9392 in this file',
  ],
  [
    'long-key.gguf',
    write(() => patched(24, u64(2n ** 63n))),
    'key 0: got 9223372036854775808 at byte 24, expected at most 2^53 - 1',
  ],
  [
    'type.gguf',
    write(() => retyped('blk.0.attn_q.weight', 99)),
    'tensor blk.0.attn_q.weight: got tensor type 99, which is not a GGUF type',
  ],
  [
    'row.gguf',
    write(() => retyped('blk.0.attn_q.weight', 12)),
    'tensor blk.0.attn_q.weight: got rows of 64 elements, expected whole q4_k blocks of 256',
  ],
  ['empty.safetensors', write(() => ''), 'header length: file is truncated: it ends at byte 0, 8 needed'],
  [
    'long.safetensors',
    write(() => Buffer.concat([u64(2n ** 50n), Buffer.alloc(64)])),
    'header length: got 1125899906842624, expected 2 to 100000000: this is not a safetensors file',
  ],
  [
    'no-json.safetensors',
    write(() => safetensors('{"a": ', 0)),
    'header: is not valid JSON: Unexpected end of JSON input',
  ],
  [
    'array.safetensors',
    write(() => safetensors('[]', 0)),
    'header: does not start with {: this is not a safetensors file',
  ],
  [
    'overlap.safetensors',
    write(() =>
      safetensors(
        '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
        12,
      ),
    ),
    'tensor b: starts at 4 of the data, which overlaps the tensor before it',
  ],
  [
    'short.safetensors',
    write(() => safetensors('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 8)),
    'tensor a: file is truncated: it holds 8 bytes of data, this tensor needs bytes up to 16. Download it again',
  ],
  [
    'dtype.safetensors',
    write(() => safetensors('{"a":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}}', 16)),
    'tensor a: got dtype "F33", which is not known',
  ],
  [
    'pickle.bin',
    write(() => 'PK'),
    "pickle.bin is a pickle file, which can run code when it is read. Use the model's safetensors or GGUF files",
  ],
  ['empty-folder', (path) => mkdirSync(path), 'folder: holds no *.safetensors and no *.gguf file'],
  [
    'config-syntax',
    (path) => writeFolder(path, '{"architectures":'),
    '/config.json: file: is not valid JSON: Unexpected end of JSON input',
  ],
  [
    'folder-cut',
    (path) => writeFolder(path, LLAMA_CONFIG, ONE_TENSOR.subarray(0, ONE_TENSOR.length - 1)),
    '/model.safetensors: tensor a: file is truncated: it holds 15 bytes of data, this tensor needs bytes up to 16. Download it again',
  ],
];

/** Headers that can be read but not run: `inspect` lists them and says why. */
const UNUSABLE: readonly BadFile[] = [
  [
    'architecture.gguf',
    (path) => writeTinyModel(path, { 'general.architecture': 'mamba' }),
    "the model's architecture is 'mamba', expected one of: llama, gemma3",
  ],
  [
    'tokenizer.gguf',
    (path) => writeTinyModel(path, { 'tokenizer.ggml.model': 'rwkv' }),
    "tokenizer.ggml.model is 'rwkv', expected 'gpt2' or 'llama'",
  ],
  [
    'no-tokens.gguf',
    (path) => writeTinyModel(path, { 'tokenizer.ggml.tokens': undefined }),
    'tokenizer.ggml.tokens: got nothing, expected an array of string',
  ],
  [
    'heads.gguf',
    (path) => writeTinyModel(path, { 'llama.attention.head_count': 3 }),
    'llama.attention.key_length: got 21.333333333333332, expected an integer from 1 to 1048576',
  ],
  [
    'layers.gguf',
    (path) => writeTinyModel(path, { 'llama.block_count': 2 }),
    'tensor blk.1.attn_norm.weight: is missing',
  ],
  [
    'many-layers.gguf',
    (path) => writeTinyModel(path, { 'llama.block_count': 4_000_000_000 }),
    'llama.block_count: got 4000000000, expected an integer from 1 to 4096',
  ],
  [
    'no-context.gguf',
    (path) => writeTinyModel(path, { 'llama.context_length': undefined }),
    'llama.context_length: got nothing, expected an integer from 1 to 2147483647',
  ],
  [
    'setting.gguf',
    (path) => writeTinyModel(path, { 'llama.embedding_length': 'wide' }),
    "llama.embedding_length: got 'wide', expected an integer from 1 to 1048576",
  ],
  [
    'no-tensor.gguf',
    (path) => writeTinyModel(path, {}, without('blk.0.ffn_down.weight')),
    'tensor blk.0.ffn_down.weight: is missing',
  ],
  [
    'shape.gguf',
    (path) =>
      writeTinyModel(path, {}, replaced('blk.0.attn_q.weight', { shape: [32, 64], data: new Uint8Array(4 * 32 * 64) })),
    "tensor blk.0.attn_q.weight: got shape [32, 64], expected [64, 64] from the model's settings",
  ],
  [
    'integers.gguf',
    write(() => retyped('blk.0.attn_q.weight', 26)),
    'tensor blk.0.attn_q.weight has type i32, which is not built yet; use a Q4_0 to Q8_0, Q4_K to Q6_K, F16, BF16 or F32 file',
  ],
  [
    'config-sizes',
    (path) => writeFolder(path, LLAMA_CONFIG),
    '/config.json: hidden_size: got nothing, expected an integer from 1 to 1048576',
  ],
  [
    'config-class',
    (path) => writeFolder(path, '{"architectures":["MambaForCausalLM"]}'),
    "/config.json: the model's architecture is 'MambaForCausalLM', expected one of: LlamaForCausalLM, MistralForCausalLM, Gemma3ForCausalLM, Gemma3ForConditionalGeneration, BertModel, BertForMaskedLM",
  ],
  [
    'config-quantized',
    (path) => writeFolder(path, '{"architectures":["LlamaForCausalLM"],"quantization_config":{"quant_method":"gptq"}}'),
    "/config.json: the model is quantized with 'gptq', which is not built yet; use its GGUF file or the original",
  ],
  ['alone.safetensors', write(() => ONE_TENSOR), 'config.json: is missing beside it; it says what the tensors mean'],
];

const blame = (name: string, message: string) => `${name}${/^[/ ]/.test(message) ? '' : ': '}${message}`;

describe('kvasir inspect', () => {
  test.each(UNREADABLE)('refuses %s', async (name, make, message) => {
    await make(at(name));
    const { code, stdout, stderr } = await runInProcess(['inspect', at(name)]);
    expect(stderr.replaceAll(`${folder}/`, '')).toBe(`kvasir inspect: ${blame(name, message)}\n`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test.each(UNUSABLE)('lists %s and says why it cannot be run', async (name, make, message) => {
    await make(at(name));
    const { code, stdout, stderr } = await runInProcess(['inspect', at(name), '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { problem } = JSON.parse(stdout.replaceAll(`${folder}/`, '')) as { problem?: string };
    expect(problem).toBe(blame(name, message));
  });
});

describe('kvasir serve', () => {
  // A lone safetensors file lacks its config.json, and that is said first.
  const lone = ([name]: BadFile) => name.endsWith('.safetensors');
  test.each([...UNREADABLE.filter((file) => !lone(file)), ...UNUSABLE])(
    'refuses %s in one line',
    async (name, make, message) => {
      const path = at(`serve-${name}`);
      await make(path);
      const { code, stdout, stderr } = await runInProcess(['serve', path, '--port', '0']);
      expect(stderr.replaceAll(`${folder}/`, '').replaceAll('serve-', '')).toBe(
        `kvasir serve: ${blame(name, message)}\n`,
      );
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    },
  );

  test.each([
    [
      ['nowhere.gguf'],
      "model 'nowhere.gguf' looks like a path, but there is nothing: correct it, or give a known name or a Hugging Face id",
    ],
    [
      ['./nowhere'],
      "model './nowhere' looks like a path, but there is nothing: correct it, or give a known name or a Hugging Face id",
    ],
    [
      ['smollm3'],
      "model 'smollm3' is not known: expected a path, a Hugging Face id (org/name[:file][@revision]) or one of: smollm2-135m, gemma3-270m, minilm-l6-v2",
    ],
  ])('says what %j is not', async (argv, message) => {
    expect(await runInProcess(['serve', ...argv])).toEqual({
      code: 1,
      stdout: '',
      stderr: `kvasir serve: ${message}\n`,
    });
  });

  test('refuses a pre-tokenizer that it does not know', async () => {
    await writeTinyModel(at('pre.gguf'), { 'tokenizer.ggml.pre': 'unheard-of' });
    const { code, stderr } = await runInProcess(['serve', at('pre.gguf'), '--port', '0']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^kvasir serve: .*unheard-of.*\n$/);
  });

  test.each([
    [['--max-model-len', '513'], '--max-model-len is 513: Tiny was made for 512 positions, expected at most that'],
    [['--max-model-len', '1'], '--max-model-len is 1: expected an integer of at least 2'],
    [
      ['--kv-cache-memory-bytes', '1'],
      '--kv-cache-memory-bytes is 1: expected at least 4096 (2 blocks of 2048 bytes): raise it',
    ],
    [
      ['--kv-cache-memory-bytes', '64K', '--max-model-len', '512'],
      'the KV cache of 64 KiB (31 blocks of 16 tokens) holds a sequence of 497 tokens, --max-model-len is 512: raise --kv-cache-memory-bytes or lower --max-model-len',
    ],
    [
      ['--max-num-batched-tokens', '8', '--max-num-seqs', '9'],
      '--max-num-batched-tokens is 8 with --max-num-seqs 9: expected at least a token for each running sequence',
    ],
    [['--host', '192.0.2.1'], '192.0.2.1 is not an address of this machine; choose one that is, 127.0.0.1 say'],
    [
      ['--host', 'no.such.host.invalid'],
      'no.such.host.invalid is not an address of this machine; choose one that is, 127.0.0.1 say',
    ],
  ])('refuses %j', async (argv, message) => {
    const { code, stdout, stderr } = await runInProcess(['serve', at('good.gguf'), '--port', '0', ...argv]);
    expect(stderr).toBe(`kvasir serve: ${message}\n`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test.each(['a', 'a=0', '=3', 'a=1,b=x'])('refuses --tenant-weights %s', async (weights) => {
    const argv = ['serve', at('good.gguf'), '--policy', 'fair', '--tenant-weights', weights];
    const { code, stderr } = await runInProcess(argv);
    expect(stderr).toContain('--tenant-weights: expected NAME=WEIGHT with weights above 0');
    expect(code).not.toBe(0);
  });

  test('refuses more memory than there is, with the numbers', async () => {
    const { code, stderr } = await runInProcess(['serve', at('good.gguf'), '--kv-cache-memory-bytes', '1000T']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^kvasir serve: the model needs 4\.0 TiB \(weights .*, buffers .*, KV cache 4\.0 TiB\), \S+ [GM]iB are available: free memory, take a smaller model, or lower --kv-cache-memory-bytes or --max-num-batched-tokens\n$/,
    );
  });
});
