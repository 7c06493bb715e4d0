import { either, integer, list, type Static, text } from '../schema/builders.js';
import { invalidField } from '../schema/field-errors.js';
import type { RequestLimits } from './request-limits.js';

/** One prompt: text, or token ids that are within the vocabulary. */
export type Prompt = string | Int32Array;

/** A token id. */
export function tokenIdSchema(vocabSize: number) {
  return integer({ minimum: 0, maximum: vocabSize - 1, 'x-expected': `a token id from 0 to ${vocabSize - 1}` });
}

/**
 * Holds ids to the vocabulary of the model that was asked for, which may be smaller than another's of the same server.
 * @throws `RequestError` Naming the first id outside.
 */
export function checkTokenRange(tokenIds: Int32Array, vocabSize: number, path: string): void {
  const wrong = tokenIds.findIndex((id) => id >= vocabSize);
  if (wrong >= 0) throw invalidField(`${path}[${wrong}]`, tokenIds[wrong], `a token id from 0 to ${vocabSize - 1}`);
}

/** `prompt` of a completions request: one or many, text or token ids. */
export function promptSchema({ maxPrompts, vocabSize }: RequestLimits) {
  const tokenIds = list(tokenIdSchema(vocabSize), { minItems: 1 });
  const onePrompt = either([text(), tokenIds], { 'x-expected': 'a string or a non-empty array of token ids' });
  return either([text(), tokenIds, list(onePrompt, { minItems: 1, maxItems: maxPrompts, 'x-entries': 'prompts' })], {
    'x-expected': 'a string, token ids, or a non-empty array of either',
    description:
      'One prompt or several, each a string or token ids; of several each is answered by choices of its own.',
  });
}

/** Prompts in their order. */
export function toPrompts(prompt: Static<ReturnType<typeof promptSchema>>): readonly Prompt[] {
  if (typeof prompt === 'string') return [prompt];
  if (typeof prompt[0] === 'number') return [Int32Array.from(prompt as number[])];
  return (prompt as (string | number[])[]).map((each) => (typeof each === 'string' ? each : Int32Array.from(each)));
}
