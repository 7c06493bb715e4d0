import { type Tokenizer, type TokenizerSource, UnsupportedError } from '@kvasir/interfaces';
import { VocabularyTokenizer } from './vocabulary-tokenizer.js';

/**
 * Builds the tokenizer that `source` describes. GGUF vocabularies need no native code; a `tokenizer.json` is read by
 * Hugging Face `tokenizers`, which is loaded only then.
 *
 * The token strings and merge rules of a GGUF source are not kept.
 * @throws {@link InvalidVocabularyError} If the vocabulary contradicts itself.
 * @throws {@link UnknownPreTokenizerError} If a GGUF pre-tokenizer is not known.
 * @throws `UnsupportedError` If a `tokenizer.json` decodes in a way that has no incremental form here.
 */
export async function loadTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  switch (source.kind) {
    case 'gguf-bpe':
    case 'gguf-spm':
      return new VocabularyTokenizer(source);
    case 'huggingface': {
      const { loadHuggingFaceTokenizer } = await import('./hugging-face-tokenizer.js');
      return loadHuggingFaceTokenizer(source);
    }
    default:
      throw new UnsupportedError(
        'tokenizer source',
        `tokenizer source kind is '${(source as { kind: unknown }).kind}', expected 'huggingface', 'gguf-bpe' or 'gguf-spm'`,
      );
  }
}
