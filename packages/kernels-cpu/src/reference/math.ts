import type { Activation, RopeTable } from '@kvasir/interfaces';
import type { LoadedWeight } from './load-weights.js';

/** `out[n] = sum_k input[k] * weight[n, k] + bias[n]`. */
export function linear(
  input: Float64Array,
  weight: LoadedWeight,
  bias: LoadedWeight | undefined,
  out: Float64Array,
): void {
  for (let n = 0; n < weight.numRows; n++) {
    let sum = 0;
    for (let k = 0; k < weight.numColumns; k++) sum += input[k]! * weight.values[n * weight.numColumns + k]!;
    out[n] = sum + (bias?.values[n] ?? 0);
  }
}

/** `out = input / sqrt(mean(input^2) + eps) * (weight + weightOffset)`, run by run of the weight's length. */
export function rmsNorm(
  input: Float64Array,
  weight: Float64Array,
  eps: number,
  weightOffset: number,
  out: Float64Array,
): void {
  for (let start = 0; start < input.length; start += weight.length) {
    let squares = 0;
    for (let i = 0; i < weight.length; i++) squares += input[start + i]! ** 2;
    const scale = 1 / Math.sqrt(squares / weight.length + eps);
    for (let i = 0; i < weight.length; i++) out[start + i] = input[start + i]! * scale * (weight[i]! + weightOffset);
  }
}

/** `out = (input - mean) / sqrt(variance + eps) * weight + bias`. */
export function layerNorm(
  input: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  eps: number,
  out: Float64Array,
): void {
  const mean = input.reduce((sum, x) => sum + x, 0) / input.length;
  const variance = input.reduce((sum, x) => sum + (x - mean) ** 2, 0) / input.length;
  const scale = 1 / Math.sqrt(variance + eps);
  for (let i = 0; i < input.length; i++) out[i] = (input[i]! - mean) * scale * weight[i]! + bias[i]!;
}

/** Rotates each head in place; element `i` pairs with `i + rotaryDim / 2`. */
export function rope(value: Float64Array, table: RopeTable, headDim: number, position: number): void {
  const half = table.inverseFrequencies.length;
  for (let head = 0; head < value.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = position * table.inverseFrequencies[i]!;
      const cos = Math.cos(angle) * table.attentionFactor;
      const sin = Math.sin(angle) * table.attentionFactor;
      const a = value[head + i]!;
      const b = value[head + i + half]!;
      value[head + i] = a * cos - b * sin;
      value[head + i + half] = a * sin + b * cos;
    }
  }
}

/** `cap * tanh(x / cap)`. */
export function softcap(x: number, cap: number): number {
  return cap * Math.tanh(x / cap);
}

/** A nonlinearity. */
export function activate(activation: Activation, x: number): number {
  switch (activation) {
    case 'silu':
      return x / (1 + Math.exp(-x));
    case 'gelu-tanh':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 'gelu':
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case 'relu':
      return Math.max(x, 0);
  }
}

/**
 * The error function to double precision: its Taylor series near 0, the continued fraction of its complement beyond
 * (Abramowitz and Stegun 7.1.6, 7.1.14).
 */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  if (magnitude < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = magnitude;
  for (let n = 60; n >= 1; n--) fraction = magnitude + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction));
}

/** `softmax(scores) * values`, added up into `out`; `valueAt(i)` is the vector that score `i` weighs. */
export function weightedSum(scores: Float64Array, valueAt: (index: number) => Float64Array, out: Float64Array): void {
  const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = scores.map((score) => Math.exp(score - max));
  const total = weights.reduce((a, b) => a + b, 0);
  out.fill(0);
  weights.forEach((weight, index) => {
    const value = valueAt(index);
    for (let d = 0; d < out.length; d++) out[d]! += (weight / total) * value[d]!;
  });
}
