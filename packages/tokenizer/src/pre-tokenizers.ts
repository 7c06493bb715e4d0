import { UnknownPreTokenizerError } from './errors.js';

/** How text is cut into words before byte-level BPE. */
export interface PreTokenizer {
  /** Applied in turn, each to the pieces of the one before: a match is a piece, and so is what lies between matches. */
  readonly patterns: readonly RegExp[];
  /** Text is normalised to NFC first, as the family's own tokenizer does. */
  readonly normalizesToNfc: boolean;
  /** A word that is itself a token is taken whole, whatever the merge rules say. */
  readonly ignoresMerges: boolean;
}

interface Family {
  readonly patterns: readonly string[];
  readonly names: readonly string[];
  readonly nfc?: readonly string[];
  readonly ignoresMerges?: boolean;
}

// Patterns are those of the families' own tokenizers (and of llama.cpp for `default`, which has no other definition).
// White space is the Unicode property: JavaScript's \s lacks U+0085 and has U+FEFF. ſ folds to s in (?i).
const S = '\\p{White_Space}';
const CONTRACTIONS = `'(?:[sSſtTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])`;
const WORD_TAIL = ` ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?!\\P{White_Space})|${S}+`;
const GPT2 = `'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?!\\P{White_Space})|${S}+`;
// One pass for "each digit alone, then GPT-2": white space before a digit stays whole, as at the end of text.
const DIGITS_GPT2 = `\\p{N}|'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?![^${S}\\p{N}])|${S}+`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const CASED = (suffix: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}`;
const CASED_TAIL = WORD_TAIL.replace('[\\r\\n]*', '[\\r\\n/]*');
const WORDS = (numbers: string) => `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}|${WORD_TAIL}`;

const FAMILIES: readonly Family[] = [
  {
    names: [
      'gpt-2',
      'phi-2',
      'mpt',
      'olmo',
      'jais',
      'trillion',
      'granite-docling',
      'exaone4',
      'jina-es',
      'jina-de',
    ].concat(['jina-v2-es', 'jina-v2-de', 'a.x-4.0', 'mellum', 'modern-bert', 'gigachat']),
    nfc: ['mpt', 'olmo', 'modern-bert'],
    patterns: [GPT2],
  },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    nfc: ['command-r'],
    patterns: [DIGITS_GPT2],
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'],
    patterns: [WORDS('\\p{N}{1,3}')],
    ignoresMerges: true,
  },
  { names: ['dbrx', 'smaug-bpe', 'chatglm-bpe', 'glm4'], patterns: [WORDS('\\p{N}{1,3}')] },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'kormo', 'megrez', 'stablelm2', 'hunyuan', 'solar-open', 'grok-2'],
    nfc: ['qwen2'],
    patterns: [WORDS('\\p{N}')],
  },
  {
    names: ['qwen35'],
    nfc: ['qwen35'],
    patterns: [
      `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^${S}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?!\\P{White_Space})|${S}+`,
    ],
  },
  { names: ['tekken'], patterns: [`${CASED('')}|\\p{N}|${CASED_TAIL}`], ignoresMerges: true },
  {
    names: ['gpt-4o', 'llama4', 'kanana2', 'minimax-m2'],
    patterns: [`${CASED(`(?:${CONTRACTIONS})?`)}|\\p{N}{1,3}|${CASED_TAIL}`],
  },
  { names: ['default'], patterns: ['[\\p{P}$+<=>^~|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'] },
  {
    names: ['deepseek-coder'],
    patterns: [
      '[\\r\\n]',
      `${S}?\\p{L}+`,
      `${S}?\\p{P}+`,
      '[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+',
      '\\p{N}',
    ],
  },
  {
    names: ['deepseek-v3', 'hunyuan-dense', 'joyai-llm'],
    patterns: [
      '\\p{N}{1,3}',
      '[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+',
      `[!"#$%&'()*+,\\-.\\/:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?!\\P{White_Space})|${S}+`,
    ],
  },
  {
    names: ['seed-coder'],
    patterns: [
      `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^${S}\\p{L}\\p{N}\\r\\n]+|${S}*[\\r\\n]+|${S}+(?!\\P{White_Space})|${S}+`,
    ],
  },
  {
    names: ['bailingmoe', 'bailingmoe2', 'llada-moe'],
    patterns: [
      `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]|${S}+(?!\\P{White_Space})|${S}+`,
    ],
  },
];

/** Names of the splitting rules that are known (`tokenizer.ggml.pre` of a GGUF file). */
export function supportedPreTokenizers(): string[] {
  return FAMILIES.flatMap((family) => family.names).sort();
}

/**
 * The rules behind a `tokenizer.ggml.pre` name.
 * @throws {@link UnknownPreTokenizerError} If the name is not known.
 */
export function findPreTokenizer(name: string): PreTokenizer {
  const family = FAMILIES.find(({ names }) => names.includes(name));
  if (family === undefined) throw new UnknownPreTokenizerError(name, supportedPreTokenizers());
  return {
    patterns: family.patterns.map((pattern) => new RegExp(pattern, 'gu')),
    normalizesToNfc: family.nfc?.includes(name) ?? false,
    ignoresMerges: family.ignoresMerges ?? false,
  };
}

/** Cuts `text` into words; their concatenation is `text`. */
export function splitWords(text: string, patterns: readonly RegExp[]): string[] {
  let pieces = [text];
  for (const pattern of patterns) {
    const cut: string[] = [];
    for (const piece of pieces) splitOnce(piece, pattern, cut);
    pieces = cut;
  }
  return pieces;
}

function splitOnce(piece: string, pattern: RegExp, pieces: string[]): void {
  let end = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(piece); match !== null; match = pattern.exec(piece)) {
    if (match.index > end) pieces.push(piece.slice(end, match.index));
    pieces.push(match[0]);
    end = pattern.lastIndex;
  }
  if (end < piece.length) pieces.push(piece.slice(end));
}
