import { readFileSync } from 'node:fs';
import type { BlockLayout } from '@kvasir/interfaces';
import { expect, it } from 'vitest';
import { BLOCK_ENCODINGS, decodeRow } from '../src/index.js';

interface Case {
  readonly layout: BlockLayout;
  readonly elements: number;
  readonly bytes: string;
  readonly floats: string;
}

const { cases } = JSON.parse(readFileSync(new URL('./goldens/dequantize.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

it('has a case for every block layout', () => {
  expect(cases.map(({ layout }) => layout).sort()).toEqual(Object.keys(BLOCK_ENCODINGS).sort());
});

it.each(cases)(
  '$layout: random bytes decode as the gguf Python package decodes them',
  ({ layout, elements, bytes, floats }) => {
    const decoded = decodeRow(BLOCK_ENCODINGS[layout], Buffer.from(bytes, 'base64'), elements);
    const expected = new Float32Array(Uint8Array.from(Buffer.from(floats, 'base64')).buffer);
    expect(expected).toHaveLength(elements);
    // The package rounds to float32 after each product, this decoder once at the end.
    const largest = Math.max(...expected.map(Math.abs));
    expect(Math.max(...decoded.map((value, index) => Math.abs(value - (expected[index] as number))))).toBeLessThan(
      3e-7 * largest,
    );
  },
);
