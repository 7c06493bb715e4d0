import { type RopeTable, UnsupportedError } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';

/** How rotation frequencies were stretched for a longer context. */
export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  /** Llama 3.1: low frequencies divided, high ones kept, a smooth step between. */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    }
  /** One divisor a frequency, as GGUF stores it (`rope_freqs.weight`). */
  | { readonly kind: 'divisors'; readonly divisors: ArrayLike<number> };

/** Rotation frequencies of a head: `base^(-2i / rotaryDim)`, scaled. */
export function ropeTable(base: number, rotaryDim: number, scaling: RopeScaling): RopeTable {
  const inverseFrequencies = Array.from({ length: rotaryDim / 2 }, (_, index) =>
    scaleFrequency(base ** ((-2 * index) / rotaryDim), index, scaling),
  );
  return { inverseFrequencies, attentionFactor: 1 };
}

function scaleFrequency(frequency: number, index: number, scaling: RopeScaling): number {
  switch (scaling.kind) {
    case 'none':
      return frequency;
    case 'linear':
      return frequency / scaling.factor;
    case 'divisors':
      return frequency / (scaling.divisors[index] as number);
    case 'llama3': {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling;
      const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
      const smooth = Math.min(1, Math.max(0, (turns - low) / (high - low)));
      return (1 - smooth) * (frequency / factor) + smooth * frequency;
    }
  }
}

/** Reads `rope.scaling.*` of a GGUF header. */
export function ggufRopeScaling(fields: FieldReader): RopeScaling {
  const kind = fields.optionalString('rope.scaling.type') ?? (fields.has('rope.scale_linear') ? 'linear' : 'none');
  if (kind === 'none') return { kind: 'none' };
  if (kind !== 'linear') throw unsupported(fields, 'rope.scaling.type', kind);
  const key = fields.has('rope.scaling.factor') ? 'rope.scaling.factor' : 'rope.scale_linear';
  // Converters write 0 for "not scaled".
  const factor = fields.number(key, { max: 1e6 });
  return factor === 0 ? { kind: 'none' } : { kind: 'linear', factor };
}

/** Reads a Hugging Face `rope_scaling` or `rope_parameters` object. */
export function huggingFaceRopeScaling(fields: FieldReader | undefined): RopeScaling {
  if (fields === undefined) return { kind: 'none' };
  const kind = fields.optionalString('rope_type') ?? fields.optionalString('type') ?? 'default';
  if (kind === 'default') return { kind: 'none' };
  if (kind === 'linear') return { kind: 'linear', factor: fields.number('factor', { min: 1e-6, max: 1e6 }) };
  if (kind !== 'llama3') throw unsupported(fields, 'rope_type', kind);
  const lowFrequencyFactor = fields.number('low_freq_factor', { min: 1e-6, max: 1e6 });
  const highFrequencyFactor = fields.number('high_freq_factor', { max: 1e6 });
  if (highFrequencyFactor <= lowFrequencyFactor)
    fields.fail('high_freq_factor', highFrequencyFactor, `more than low_freq_factor ${lowFrequencyFactor}`);
  return {
    kind,
    factor: fields.number('factor', { min: 1e-6, max: 1e6 }),
    lowFrequencyFactor,
    highFrequencyFactor,
    originalMaxPositions: fields.integer('original_max_position_embeddings', { min: 1 }),
  };
}

/** The object that {@link huggingFaceRopeScaling} reads back; `null` for none. */
export function ropeScalingToHuggingFace(scaling: RopeScaling): Readonly<Record<string, unknown>> | null {
  switch (scaling.kind) {
    case 'none':
      return null;
    case 'linear':
      return { rope_type: 'linear', factor: scaling.factor };
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalMaxPositions,
      };
    case 'divisors':
      throw new UnsupportedError('rope divisors', 'a config.json has no place for the divisors of rope_freqs.weight');
  }
}

function unsupported(fields: FieldReader, key: string, kind: string): UnsupportedError {
  const expected = `expected 'linear' or 'llama3'`;
  return new UnsupportedError(`rope scaling ${kind}`, `${fields.file}: ${fields.label(key)} is '${kind}', ${expected}`);
}
