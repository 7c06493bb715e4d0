import { endianness } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How vectors are written. */
export type VectorEncoding = 'float' | 'base64';

/** Numbers that are written in one turn of the event loop, at least one vector's. */
const NUMBERS_A_TURN = 32_768;

/** The `data` of an embeddings answer as JSON. Others get their turn while a long one is written. */
export async function writeEmbeddingList(vectors: readonly Float32Array[], encoding: VectorEncoding): Promise<string> {
  const parts: string[] = [];
  let numNumbers = 0;
  for (const [index, vector] of vectors.entries()) {
    numNumbers += vector.length;
    if (index > 0 && numNumbers > NUMBERS_A_TURN) {
      await nextTurn();
      numNumbers = vector.length;
    }
    const embedding = encoding === 'base64' ? `"${toBase64(vector)}"` : JSON.stringify(Array.from(vector));
    parts.push(`{"object":"embedding","index":${index},"embedding":${embedding}}`);
  }
  return `[${parts.join(',')}]`;
}

/** Base64 of the numbers as little-endian float32. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  return (endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32()).toString('base64');
}
