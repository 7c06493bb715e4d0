import { readFileSync } from 'node:fs';
import { StopMatcher, VocabularyTokenizer } from '../src/index.js';
import { readGgufTokenizer } from '../test/support/gguf.js';

/** Times one GGUF vocabulary in a fresh process: `cold-start MODEL.gguf TEXT_FILE`. */
const [modelPath, textPath] = process.argv.slice(2);
if (modelPath === undefined || textPath === undefined) throw new Error('usage: cold-start MODEL.gguf TEXT_FILE');
const source = readGgufTokenizer(modelPath);
const text = readFileSync(textPath, 'utf8');

function time<T>(name: string, run: () => T): T {
  const start = performance.now();
  const result = run();
  process.stdout.write(`${name.padEnd(44)} ${(performance.now() - start).toFixed(2).padStart(9)} ms\n`);
  return result;
}

const tokenizer = time(`create, ${source.tokens.length} tokens`, () => new VocabularyTokenizer(source));
time('first encode, 6 words', () => tokenizer.encode('The capital of France is Paris'));
const ids = time('encode the text, nothing compiled yet', () => tokenizer.encode(text));
for (let i = 0; i < 20; i++) new VocabularyTokenizer(source).encode(text);
const fresh = new VocabularyTokenizer(source);
process.stdout.write(`text: ${text.length} characters, ${ids.length} tokens\n`);
time('encode the text, empty word cache', () => fresh.encode(text));
time('encode the text again', () => fresh.encode(text));
time('decode it token by token', () => fresh.decode(ids));
const matcher = new StopMatcher(['</s>', '\n\nUser:', '<|end|>', '```']);
const pieces = [...ids].map((id) => fresh.tokenText(id));
time('match 4 stop strings token by token', () => pieces.map((piece) => matcher.push(piece)));
time('encode 1,000,000 letters without a space', () => fresh.encode('ab'.repeat(500_000)));
