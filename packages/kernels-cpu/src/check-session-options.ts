import { type EncoderOptions, type HostTierPool, InvalidArgumentError, type SessionOptions } from '@kvasir/interfaces';

const MODES = ['auto', 'float32'];
const KV_DTYPES = ['auto', 'float32', 'float16', 'bfloat16', 'int8'];
/** Tokens a key tile of the attention kernels; blocks are whole tiles. */
const KV_TILE = 16;

/** @throws `InvalidArgumentError` Naming the option, what it is and what was expected. */
export function checkSessionOptions(options: SessionOptions): void {
  if (options.programs.length < 1)
    throw new InvalidArgumentError('programs', 'programs is empty: expected one or more');
  for (const { kind } of options.programs) oneOf('programs.kind', kind, ['decoder']);
  oneOf('mode', options.mode, MODES);
  oneOf('kvCacheDtype', options.kvCacheDtype, KV_DTYPES);
  integer('blockSize', options.blockSize, KV_TILE, 2 ** 16);
  if (options.blockSize % KV_TILE !== 0) {
    throw new InvalidArgumentError(
      'blockSize',
      `blockSize is ${options.blockSize}: expected a multiple of ${KV_TILE}, the tile of the attention kernels`,
    );
  }
  integer('numBlocks', options.numBlocks, 2, 2 ** 31 - 1);
  integer('maxSlots', options.maxSlots, 1, 2 ** 20);
  const maxPositions = Math.min(...options.programs.map((program) => program.maxPositions));
  integer('maxModelLen', options.maxModelLen, 1, Math.min(maxPositions, 2 ** 24));
  integer('maxTokensPerStep', options.maxTokensPerStep, 1, 2 ** 20);
  integer('maxOutputsPerStep', options.maxOutputsPerStep, 1, 2 ** 20);
  integer('maxTopLogprobs', options.maxTopLogprobs, 0, 2 ** 16);
  integer('maxInFlight', options.maxInFlight, 1, 2);
  if (options.numThreads !== undefined) integer('numThreads', options.numThreads, 1, 1024);
  if (options.hostTier !== undefined) checkHostTier(options.hostTier);
  for (const id of options.eosTokenIds) integer('eosTokenIds', id, 0, (options.programs[0]?.vocabSize ?? 1) - 1);
}

/** @throws `InvalidArgumentError` Naming the option, what it is and what was expected. */
export function checkEncoderOptions(options: EncoderOptions): void {
  oneOf('program.kind', options.program.kind, ['encoder']);
  oneOf('mode', options.mode, MODES);
  integer('maxTokensPerBatch', options.maxTokensPerBatch, 1, 2 ** 20);
  integer('maxSequencesPerBatch', options.maxSequencesPerBatch, 1, 2 ** 20);
  if (options.numThreads !== undefined) integer('numThreads', options.numThreads, 1, 1024);
}

/** @throws `InvalidArgumentError` For a host tier of no blocks, or one that is somewhere else than a file. */
export function checkHostTier(hostTier: HostTierPool): void {
  const unknown = Object.keys(hostTier).find((name) => name !== 'numBlocks' && name !== 'path');
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `hostTier.${unknown}`,
      `option 'hostTier.${unknown}' does not exist: expected numBlocks, path`,
    );
  }
  integer('hostTier.numBlocks', hostTier.numBlocks, 2, 2 ** 31 - 1);
  if (hostTier.path !== undefined && (hostTier.path === '' || hostTier.path.includes('\0'))) {
    throw new InvalidArgumentError(
      'hostTier.path',
      `hostTier.path is '${hostTier.path}': expected the path of a file to create, or nothing for memory`,
    );
  }
}

/** @throws `InvalidArgumentError` Unless `value` is a whole number from `low` to `high`. */
export function integer(name: string, value: number, low: number, high: number): void {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return;
  throw new InvalidArgumentError(name, `${name} is ${value}: expected a whole number from ${low} to ${high}`);
}

function oneOf(name: string, value: string, expected: readonly string[]): void {
  if (expected.includes(value)) return;
  throw new InvalidArgumentError(name, `${name} is '${value}': expected one of ${expected.join(', ')}`);
}
