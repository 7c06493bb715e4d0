import { type EncodeBatch, type EncoderOptions, KvasirError } from '@kvasir/interfaces';

/** A batch is over a limit of its encoder session or contradicts itself. Nothing was run. */
export class InvalidBatchError extends KvasirError {
  constructor(message: string) {
    super('ERR_INVALID_BATCH', message);
  }
}

/** @throws {@link InvalidBatchError} Naming the sequence or token at fault. */
export function checkEncodeBatch({ tokenIds, lengths }: EncodeBatch, options: EncoderOptions): void {
  const { program, maxTokensPerBatch, maxSequencesPerBatch } = options;
  refuse(lengths.length, 'sequences', 1, maxSequencesPerBatch);
  refuse(tokenIds.length, 'tokens', 1, maxTokensPerBatch);
  let total = 0;
  for (const [index, length] of lengths.entries()) {
    refuse(length, `tokens in sequence ${index}`, 1, program.maxPositions);
    total += length;
  }
  if (total !== tokenIds.length) {
    throw new InvalidBatchError(
      `got ${tokenIds.length} tokens, but the lengths add up to ${total}: expected equal counts`,
    );
  }
  const stray = tokenIds.findIndex((id) => id < 0 || id >= program.vocabSize);
  if (stray >= 0) {
    throw new InvalidBatchError(
      `token ${stray} has id ${tokenIds[stray]}, expected one from 0 to ${program.vocabSize - 1}`,
    );
  }
}

function refuse(count: number, what: string, low: number, high: number): void {
  if (count < low || count > high) throw new InvalidBatchError(`got ${count} ${what}, expected from ${low} to ${high}`);
}
