import type { StepTime } from './step-shape.js';

/** A model on a device, as far as step times go. */
export interface RooflineModel {
  /** Weights that a step reads. */
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
  /** Multiply-adds a token in matrix products: about the number of parameters. */
  readonly macsPerToken: number;
  /** Multiply-adds for each pair of query and key. */
  readonly macsPerPair: number;
  /** Peaks of the device. */
  readonly bytesPerSecond: number;
  readonly flopsPerSecond: number;
  /** Share of the peaks that is reached. Default 0.6. */
  readonly efficiency?: number;
  /** Fixed time of a step. Default 0.5 ms. */
  readonly overheadMs?: number;
  /** Sampling and bookkeeping for each row. Default 0.002 ms. */
  readonly perRowMs?: number;
}

/** Step time from peaks: memory and arithmetic overlap, the slower one counts. */
export function rooflineStepTime(model: RooflineModel): StepTime {
  const { efficiency = 0.6, overheadMs = 0.5, perRowMs = 0.002 } = model;
  const bytesPerMs = (efficiency * model.bytesPerSecond) / 1000;
  const flopsPerMs = (efficiency * model.flopsPerSecond) / 1000;
  return ({ numTokens, numRows, decodeContext, prefillPairs }) => {
    const readMs = (model.weightBytes + decodeContext * model.kvBytesPerToken) / bytesPerMs;
    const macs = numTokens * model.macsPerToken + (decodeContext + prefillPairs) * model.macsPerPair;
    return overheadMs + Math.max(readMs, (2 * macs) / flopsPerMs) + numRows * perRowMs;
  };
}

/** One H100 SXM (3.35 TB/s, 989 TFLOP/s BF16, 1,979 FP8, dense): data-sheet peaks and model sizes, not measurements. */
export const H100_MODELS = {
  'h100-1b-bf16': h100(
    { weightBytes: 2.5e9, kvBytesPerToken: 32_768, macsPerToken: 1.24e9, macsPerPair: 65_536 },
    989e12,
  ),
  'h100-8b-bf16': h100(
    { weightBytes: 15e9, kvBytesPerToken: 131_072, macsPerToken: 7.5e9, macsPerPair: 262_144 },
    989e12,
  ),
  'h100-8b-fp8': h100(
    { weightBytes: 7.5e9, kvBytesPerToken: 65_536, macsPerToken: 7.5e9, macsPerPair: 262_144 },
    1979e12,
  ),
} as const satisfies Readonly<Record<string, RooflineModel>>;

type ModelSize = Pick<RooflineModel, 'weightBytes' | 'kvBytesPerToken' | 'macsPerToken' | 'macsPerPair'>;

function h100(size: ModelSize, flopsPerSecond: number): RooflineModel {
  return { ...size, bytesPerSecond: 3.35e12, flopsPerSecond };
}
