import fc from 'fast-check';

const PIECES = [
  'a',
  'B',
  'é',
  'e\u0301',
  'ß',
  'ſ',
  'ж',
  'Ж',
  '你',
  'ǅ',
  'ʰ',
  'ا',
  '😀',
  '👩‍👧',
  '1',
  '٣',
  'Ⅷ',
  '½',
  ' ',
  '  ',
  '\t',
  '\n',
  '\r\n',
]
  .concat([
    "'",
    "'s",
    "'S",
    "'ll",
    "'ſ",
    '!',
    '...',
    '$',
    '+',
    '=',
    '_',
    '/',
    '<',
    '。',
    '\u0085',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\ufeff',
    '▁',
    '\0',
  ])
  .concat(['the', ' the', 'Hello', ' world', '123', '10,000', '<|im_start|>', '<|im_end|>', '\ud800', '\udc00']);

// Ranges that have not changed for long: Unicode versions differ between Node and the oracle.
const character = fc
  .oneof(
    ...[
      [0, 0x5ff],
      [0x3000, 0x30ff],
      [0x4e00, 0x9fa5],
      [0xac00, 0xd7a3],
      [0x10300, 0x1031f],
      [0x1f300, 0x1f5ff],
    ].map(([min, max]) => fc.integer({ min: min!, max: max! })),
  )
  .map((codePoint) => String.fromCodePoint(codePoint));

/** Text of pieces that tokenizers treat differently, mixed with other characters and lone surrogates. */
export const text: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...PIECES) }, character), {
    maxLength: 24,
  })
  .map((pieces) => pieces.join(''));

/** The same without lone surrogates, which other languages cannot be given. */
export const wellFormedText: fc.Arbitrary<string> = text.map((value) => Buffer.from(value).toString());
