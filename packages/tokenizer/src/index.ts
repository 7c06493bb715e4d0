export type { ChatTemplateLimits, LoadChatTemplateOptions } from './chat-template.js';
export { loadChatTemplate } from './chat-template.js';
export {
  ChatTemplateError,
  ChatTemplateTimeoutError,
  InvalidVocabularyError,
  TokenIdOutOfRangeError,
  UnknownPreTokenizerError,
} from './errors.js';
export { loadTokenizer } from './load-tokenizer.js';
export { supportedPreTokenizers } from './pre-tokenizers.js';
export type { StopMatch, StopMatcherOptions } from './stop-matcher.js';
export { StopMatcher } from './stop-matcher.js';
export { VocabularyTokenizer } from './vocabulary-tokenizer.js';
