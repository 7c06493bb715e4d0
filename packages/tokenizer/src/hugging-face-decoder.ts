import { UnsupportedError } from '@kvasir/interfaces';
import type { HuggingFaceVocabulary } from './hugging-face-worker.js';
import { writeUtf8 } from './utf8.js';
import { TokenType, Vocabulary } from './vocabulary.js';

/** Bytes of every token as the `decoder` of a `tokenizer.json` would write them. */
export interface DecodedVocabulary {
  readonly arena: Uint8Array;
  readonly offsets: ArrayLike<number>;
  readonly stripsLeadingSpace: boolean;
}

interface DecoderStep {
  readonly type: string;
  readonly decoders?: readonly DecoderStep[];
  readonly [option: string]: unknown;
}

/**
 * Applies the decoder token by token, so that text can be decoded as it arrives. Understands the byte-level,
 * SentencePiece (`Replace ▁`, `ByteFallback`, `Fuse`, `Strip`), `Metaspace` and `WordPiece` families.
 * @throws `UnsupportedError` If the decoder is of another family.
 */
export function decodeVocabulary(source: HuggingFaceVocabulary): DecodedVocabulary {
  const steps = flatten(source.decoder as DecoderStep | null);
  const names = steps.map(({ type }) => type);
  const step = (type: string) => steps.find((candidate) => candidate.type === type);
  const isOnly = (...allowed: string[]) => names.every((name) => allowed.includes(name));
  if (names.length > 0 && isOnly('ByteLevel')) {
    return { ...spell(source, 'byte-level'), stripsLeadingSpace: false };
  }
  const replace = step('Replace');
  const isSpaceReplace = replace?.['content'] === ' ' && (replace['pattern'] as { String?: string })?.String === '▁';
  if (isSpaceReplace && isOnly('Replace', 'ByteFallback', 'Fuse', 'Strip')) {
    const strip = step('Strip');
    if (strip === undefined || (strip['content'] === ' ' && strip['start'] === 1 && strip['stop'] === 0)) {
      return { ...spell(source, 'sentencepiece'), stripsLeadingSpace: strip !== undefined };
    }
  }
  const metaspace = step('Metaspace');
  if (metaspace !== undefined && names.length === 1 && metaspace['replacement'] === '▁') {
    const isPrefixed = (metaspace['prepend_scheme'] ?? 'always') !== 'never' && metaspace['add_prefix_space'] !== false;
    return { ...spell(source, 'sentencepiece'), stripsLeadingSpace: isPrefixed };
  }
  const wordPiece = step('WordPiece');
  if (wordPiece !== undefined && names.length === 1) {
    const prefix = wordPiece['prefix'] as string;
    return { ...join(source.tokens, prefix, wordPiece['cleanup'] === true), stripsLeadingSpace: true };
  }
  throw new UnsupportedError(
    'tokenizer decoder',
    `decoder is [${names.join(', ')}], expected ByteLevel, Metaspace, WordPiece, or Replace ▁ with ByteFallback, Fuse and Strip`,
  );
}

function flatten(decoder: DecoderStep | null): readonly DecoderStep[] {
  if (decoder === null) return [];
  return decoder.type === 'Sequence' ? (decoder.decoders ?? []).flatMap(flatten) : [decoder];
}

function spell(
  source: HuggingFaceVocabulary,
  spelling: 'byte-level' | 'sentencepiece',
): Omit<DecodedVocabulary, 'stripsLeadingSpace'> {
  const types = new Int32Array(source.tokens.length).fill(TokenType.normal);
  if (spelling === 'sentencepiece') {
    source.tokens.forEach((token, id) => {
      if (/^<0x[0-9A-Fa-f]{2}>$/.test(token)) types[id] = TokenType.byte;
    });
  }
  for (const { id, special } of source.addedTokens) types[id] = special ? TokenType.control : TokenType.userDefined;
  const { arena, offsets } = new Vocabulary(source.tokens, types, spelling);
  return { arena, offsets };
}

const CLEANED = [' .', ' ?', ' !', ' ,', " n't", " 'm", " 's", " 've", " 're"];

function join(
  tokens: readonly string[],
  prefix: string,
  cleansUp: boolean,
): Omit<DecodedVocabulary, 'stripsLeadingSpace'> {
  const offsets = new Uint32Array(tokens.length + 1);
  const arena = new Uint8Array(tokens.reduce((sum, token) => sum + (token.length + 1) * 3, 0));
  let at = 0;
  tokens.forEach((token, id) => {
    let text = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    if (cleansUp) for (const spaced of CLEANED) text = text.replaceAll(spaced, spaced.slice(1));
    at = writeUtf8(text, 0, text.length, arena, at);
    offsets[id + 1] = at;
  });
  return { arena, offsets };
}
