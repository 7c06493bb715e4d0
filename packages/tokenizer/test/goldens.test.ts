import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from '../src/chat-template.js';
import { loadTokenizer } from '../src/load-tokenizer.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { readGgufTokenizer } from './support/gguf.js';
import { modelPath, readGoldenEmbeddings, readGoldens } from './support/models.js';

const smollm2 = modelPath('KVASIR_TEST_SMOLLM2');
const gemma3 = modelPath('KVASIR_TEST_GEMMA3');
const minilm = modelPath('KVASIR_TEST_MINILM');

describe.each([
  { name: 'smollm2', path: smollm2 },
  { name: 'gemma3', path: gemma3 },
] as const)('$name against transformers', ({ name, path }) => {
  it.skipIf(path === undefined)('encodes and decodes every golden text', () => {
    const tokenizer = new VocabularyTokenizer(readGgufTokenizer(path!));
    const { texts } = readGoldens(name);
    expect(texts.length).toBe(31);
    for (const golden of texts) {
      expect([...tokenizer.encode(golden.text)], golden.text).toEqual(golden.ids);
      expect([...tokenizer.encode(golden.text, { addSpecialTokens: false })], golden.text).toEqual(golden.ids_plain);
      expect(tokenizer.decode(golden.ids)).toBe(golden.decoded);
    }
    tokenizer.checkIntegrity();
  });
});

describe('minilm-l6-v2 against transformers', () => {
  it.skipIf(minilm === undefined)(
    'encodes every golden text, whatever its file says of cutting and filling up',
    async () => {
      const tokenizer = await loadTokenizer({
        kind: 'huggingface',
        tokenizerJsonPath: join(minilm!, 'tokenizer.json'),
        vocabSize: 30_522,
        addBos: false,
        addEos: false,
      });
      const { texts } = readGoldenEmbeddings();
      expect(texts.length).toBe(24);
      for (const { text, num_tokens, ids } of texts) {
        const found = [...tokenizer.encode(text)];
        expect(found.length, text).toBe(num_tokens);
        // What is cut keeps its last token, [SEP].
        expect([...found.slice(0, ids.length - 1), found.at(-1)], text).toEqual(ids);
      }
      expect(Math.max(...texts.map(({ num_tokens }) => num_tokens))).toBe(452);
      await tokenizer.close?.();
    },
  );
});

describe('smollm2 chats against transformers', () => {
  it.skipIf(smollm2 === undefined)('renders and encodes every golden chat', async () => {
    const source = readGgufTokenizer(smollm2!);
    const tokenizer = new VocabularyTokenizer(source);
    const template = await loadChatTemplate(source.chatTemplate!, {
      bosToken: tokenizer.tokenText(source.bosTokenId!),
      eosToken: tokenizer.tokenText(source.eosTokenId!),
    });
    const { chats } = readGoldens('smollm2');
    expect(chats.length).toBe(4);
    for (const golden of chats) {
      const text = template.render(golden.messages);
      expect(text).toBe(golden.text);
      expect([...tokenizer.encode(text, { addSpecialTokens: false })]).toEqual(golden.ids);
    }
  });
});
