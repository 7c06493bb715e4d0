// Bits a weight and largest error of every block layout on a sine wave.
import { BLOCK_ENCODINGS, decodeRow, encodedBytes, encodeRow } from '@kvasir/quant';

const row = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i / 20));
for (const encoding of Object.values(BLOCK_ENCODINGS)) {
  const bytes = encodeRow(encoding, row);
  const decoded = decodeRow(encoding, bytes, row.length);
  const error = Math.max(...decoded.map((value, i) => Math.abs(value - row[i])));
  const bits = (8 * encodedBytes(encoding, row.length)) / row.length;
  console.log(`${encoding.layout}: ${bits} bits a weight, largest error ${error.toFixed(4)}`);
}
