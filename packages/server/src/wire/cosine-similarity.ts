/** Cosine of the angle between two vectors of the same width, summed in double precision; 0 for a vector of zeros. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaredA = 0;
  let squaredB = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    squaredA += a[i]! * a[i]!;
    squaredB += b[i]! * b[i]!;
  }
  const norms = Math.sqrt(squaredA) * Math.sqrt(squaredB);
  // Rounding may lead a little past 1.
  return norms === 0 ? 0 : Math.max(-1, Math.min(1, dot / norms));
}
