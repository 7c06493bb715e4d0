import type { ChatTemplate, Tokenizer } from '@kvasir/interfaces';

/** Messages that have nothing in common, so that nothing of them is taken for the beginning of every conversation. */
const USERS = ['a', '1'] as const;

/**
 * Tokens that every conversation under the system message `text` begins with; without a chat template those of the text, up to
 * the one that its next characters may change.
 */
export function systemPromptTokens(text: string, tokenizer: Tokenizer, template: ChatTemplate | undefined): Int32Array {
  const [first, second] = USERS.map((user) => {
    if (template === undefined) return tokenizer.encode(text + user);
    const messages = [
      { role: 'system', content: text },
      { role: 'user', content: user },
    ];
    return tokenizer.encode(template.render(messages, { addGenerationPrompt: true }), { addSpecialTokens: false });
  }) as [Int32Array, Int32Array];
  let numTokens = 0;
  while (numTokens < first.length && first[numTokens] === second[numTokens]) numTokens++;
  return first.slice(0, numTokens);
}
