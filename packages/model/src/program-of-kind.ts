import type { DecoderProgram, EncoderProgram } from '@kvasir/interfaces';
import { ModelKindError } from './errors.js';
import type { ModelDescription } from './model-description.js';

/**
 * The program of a model that generates text.
 * @throws {@link ModelKindError} If it is an encoder.
 */
export function decoderProgram({ name, program }: ModelDescription): DecoderProgram {
  if (program.kind === 'decoder') return program;
  throw new ModelKindError(name, program.kind, 'decoder');
}

/**
 * The program of a model that gives vectors.
 * @throws {@link ModelKindError} If it is a decoder.
 */
export function encoderProgram({ name, program }: ModelDescription): EncoderProgram {
  if (program.kind === 'encoder') return program;
  throw new ModelKindError(name, program.kind, 'encoder');
}
