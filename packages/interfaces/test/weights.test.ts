import type { Encoding, GroupedEncoding, WeightRecord } from '@kvasir/interfaces';
import { describe, expect, expectTypeOf, it } from 'vitest';

/** What a kernel must know of an encoding; a new kind that is not handled does not compile. */
function describeEncoding(encoding: Encoding): string {
  switch (encoding.kind) {
    case 'dense':
      return encoding.dtype;
    case 'block':
      return `${encoding.layout}: ${encoding.bits} bits, scales a group of ${encoding.groupSize}${encoding.hasMinimum ? ' with minimums' : ''}`;
    case 'grouped':
      return describeGrouped(encoding);
  }
}

function describeGrouped({ bits, scales, zeros, codebook, hasGroupIndex }: GroupedEncoding): string {
  const parts = [
    'codes',
    'scales',
    ...(zeros === undefined ? [] : ['zeros']),
    ...(hasGroupIndex ? ['groupIndex'] : []),
  ];
  const nested = scales.nested === undefined ? '' : `, scales nested by ${scales.nested.groupSize}`;
  return `${bits} bits in ${parts.join(', ')}${nested}${codebook === undefined ? '' : `, ${codebook.length} codes`}`;
}

describe('weight encodings', () => {
  it.each<[string, Encoding, string]>([
    [
      'GGUF Q4_K',
      { kind: 'block', layout: 'q4_k', blockSize: 256, blockBytes: 144, groupSize: 32, bits: 4, hasMinimum: true },
      'q4_k: 4 bits, scales a group of 32 with minimums',
    ],
    [
      'GPTQ with act-order',
      {
        kind: 'grouped',
        bits: 4,
        packOrder: 'gptq',
        groupSize: 128,
        scales: { dtype: 'f16' },
        zeros: { dtype: 'packed', storedMinusOne: true },
        hasGroupIndex: true,
      },
      '4 bits in codes, scales, zeros, groupIndex',
    ],
    [
      'bitsandbytes NF4, double quantized',
      {
        kind: 'grouped',
        bits: 4,
        packOrder: 'bnb',
        groupSize: 64,
        scales: { dtype: 'u8', nested: { groupSize: 256, offset: 0.1 } },
        codebook: Array.from({ length: 16 }, (_, i) => i / 8 - 1),
      },
      '4 bits in codes, scales, scales nested by 256, 16 codes',
    ],
    ['bfloat16', { kind: 'dense', dtype: 'bf16' }, 'bf16'],
  ])('say all there is to know about %s', (_, encoding, description) => {
    expect(describeEncoding(encoding)).toBe(description);
  });

  it('are named by a record with the bytes of each part and how devices share it', () => {
    expectTypeOf<WeightRecord['parts'][number]>().toEqualTypeOf<{
      readonly file: number;
      readonly offset: number;
      readonly length: number;
    }>();
    expectTypeOf<WeightRecord['shard']>().toEqualTypeOf<'row' | 'column' | 'replicated'>();
    expectTypeOf<{ kind: 'dense'; dtype: 'f64' }>().not.toExtend<Encoding>();
    expectTypeOf<{ kind: 'block'; layout: 'q3_k' }>().not.toExtend<Encoding>();
  });
});
