/**
 * The first `dimensions` numbers of a vector.
 * @param isNormalized - The cut vector gets length 1 again, as the whole one has; a vector of zeros stays one.
 */
export function cutVector(vector: Float32Array, dimensions: number, isNormalized: boolean): Float32Array {
  if (dimensions === vector.length) return vector;
  const cut = vector.slice(0, dimensions);
  if (!isNormalized) return cut;
  const norm = Math.sqrt(cut.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? cut : cut.map((value) => value / norm);
}
