const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** Value of an IEEE binary16 given by its 16 bits; NaN payloads are lost. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Nearest binary16 of a number, ties to even; beyond 65504 it is infinity. */
export function numberToF16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65_520) return sign | 0x7c00;
  // Below 2^-14 steps are 2^-24; above, 2^-10 of the power of two below the value.
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const step = 2 ** (exponent - 10);
  const steps = roundHalfToEven(magnitude / step);
  // `steps` counts from 1024 for a normal value, so adding it to the exponent's field carries as it should.
  return sign | (exponent === -14 ? steps : ((exponent + 14) << 10) + steps);
}

/** Value of a bfloat16 given by its 16 bits: the upper half of a float32. */
export function bf16ToNumber(bits: number): number {
  words[0] = (bits << 16) >>> 0;
  return floats[0] as number;
}

/** Nearest bfloat16 of a float32, ties to even. */
export function numberToBf16(value: number): number {
  floats[0] = value;
  const bits = words[0] as number;
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
