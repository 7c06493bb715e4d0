import type { FieldReader } from './checkpoint/field-reader.js';
import { defined } from './defined.js';
import type { SamplingDefaults } from './model-description.js';

/** What each default is called in a file; absent: the format has no key for it. */
export type SamplingKeys = Readonly<Partial<Record<keyof SamplingDefaults, string>>>;

/** Keys of `generation_config.json`. */
export const HUGGING_FACE_KEYS: SamplingKeys = {
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  minP: 'min_p',
  typicalP: 'typical_p',
  repetitionPenalty: 'repetition_penalty',
  maxTokens: 'max_new_tokens',
};

/** Keys below `general.sampling.` in a GGUF. */
export const GGUF_KEYS: SamplingKeys = {
  temperature: 'temp',
  topP: 'top_p',
  topK: 'top_k',
  minP: 'min_p',
  repetitionPenalty: 'penalty_repeat',
};

/** Shares and penalties of 0 have no meaning. */
const ABOVE_0 = 1e-6;

/** @throws `InvalidCheckpointError` For a value that no request could ask for either. */
export function readSamplingDefaults(fields: FieldReader, keys: SamplingKeys): SamplingDefaults {
  const number = (name: keyof SamplingDefaults, min: number, max: number) => {
    const key = keys[name];
    return defined(name, key === undefined ? undefined : fields.optionalNumber(key, { min, max }));
  };
  const integer = (name: keyof SamplingDefaults, min: number) => {
    const key = keys[name];
    return defined(name, key === undefined ? undefined : fields.optionalInteger(key, { min }));
  };
  return {
    ...number('temperature', 0, 100),
    ...number('topP', ABOVE_0, 1),
    ...integer('topK', -1),
    ...number('minP', 0, 1),
    ...number('typicalP', ABOVE_0, 1),
    ...number('repetitionPenalty', ABOVE_0, 1000),
    ...integer('maxTokens', 1),
  };
}
