import { decoderProgram, type ModelDescription } from '@kvasir/model';
import type { OfflineWork } from '../workload.js';

/** What a step of a model must read and multiply, counted from its program. */
export interface ModelCost {
  /** Weight bytes of all matrix products, output head included, as the file stores them. */
  readonly weightBytes: number;
  /** Multiply-adds a token of all products but the head. */
  readonly bodyMacs: number;
  /** Multiply-adds of the head for one output. */
  readonly headMacs: number;
  /** Per KV layer: elements a token, and how many tokens back it looks. */
  readonly kvLayers: readonly { readonly elements: number; readonly window: number }[];
  readonly kvBytesPerElement: number;
}

/** Counts {@link ModelCost}. @param kvBytesPerElement - Of the cache's type. */
export function modelCost(description: ModelDescription, kvBytesPerElement: number): ModelCost {
  const program = decoderProgram(description);
  const gatherAt = program.ops.findIndex(({ op }) => op === 'gatherOutputs');
  let weightBytes = 0;
  let bodyMacs = 0;
  let headMacs = 0;
  program.ops.forEach((op, at) => {
    if (op.op !== 'linear') return;
    const weight = program.weights[op.weight];
    if (weight === undefined) return;
    const macs = weight.shape.reduce((product, size) => product * size, 1);
    weightBytes += weight.parts.reduce((sum, part) => sum + part.length, 0);
    if (gatherAt >= 0 && at > gatherAt) headMacs += macs;
    else bodyMacs += macs;
  });
  const kvLayers = program.kvLayers.map(({ numKvHeads, headDim }, layer) => {
    const attention = program.ops.find((op) => op.op === 'pagedAttention' && op.layer === layer);
    const window = attention?.op === 'pagedAttention' ? attention.window : undefined;
    return { elements: 2 * numKvHeads * headDim, window: window ?? Number.POSITIVE_INFINITY };
  });
  return { weightBytes, bodyMacs, headMacs, kvLayers, kvBytesPerElement };
}

/** What one token of a measurement reads from memory at least, and what it multiplies. */
export interface TokenCost {
  readonly readBytes: number;
  /** A multiply and an add count as two. */
  readonly int8Ops: number;
}

/** Cost of one generated token (decode) or one prompt token (prefill) of `work`. */
export function tokenCost(cost: ModelCost, work: OfflineWork): TokenCost {
  if (work.kind === 'prefill') {
    // One step of all tokens: weights are read once, the head runs for the last token only.
    const readBytes = cost.weightBytes / work.tokens;
    return { readBytes, int8Ops: 2 * (cost.bodyMacs + cost.headMacs / work.tokens) };
  }
  const context = work.promptTokens + work.tokens / 2;
  const kvElements = cost.kvLayers.reduce((sum, { elements, window }) => sum + elements * Math.min(context, window), 0);
  const readBytes = cost.weightBytes / work.batch + cost.kvBytesPerElement * kvElements;
  return { readBytes, int8Ops: 2 * (cost.bodyMacs + cost.headMacs) };
}
