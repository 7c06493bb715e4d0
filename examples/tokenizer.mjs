// Text to ids and back with a vocabulary of 12 tokens; a real one comes from a GGUF header or a tokenizer.json.
import { loadTokenizer, StopMatcher } from '@kvasir/tokenizer';

const tokens = ['<s>', '</s>', 'h', 'e', 'l', 'o', 'Ġ', 'he', 'll', 'hell', 'hello', 'Ġhello'];
const tokenTypes = Int32Array.from(tokens, (_, id) => (id < 2 ? 3 : 1)); // 3: control, 1: normal
const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ hello'];
const ids = { bosTokenId: 0, eosTokenId: 1, addBos: true, addEos: false };
const tokenizer = await loadTokenizer({
  kind: 'gguf-bpe',
  preTokenizer: 'gpt-2',
  tokens,
  tokenTypes,
  merges,
  vocabSize: 12,
  ...ids,
});

console.log(tokenizer.encode('hello hello</s>'), tokenizer.decode([0, 10, 11, 1]));
const [decoder, stops] = [tokenizer.createDecoder(), new StopMatcher(['lo h'])];
for (const id of tokenizer.encode('hello hello')) console.log(stops.push(decoder.push(id)));
