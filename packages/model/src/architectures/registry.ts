import { UnsupportedError } from '@kvasir/interfaces';
import type { Architecture } from './architecture.js';
import { bert } from './bert.js';
import { gemma3 } from './gemma3.js';
import { llama } from './llama.js';

/** Every model family that can be opened. */
const ARCHITECTURES: readonly Architecture[] = [llama, gemma3, bert] as readonly Architecture[];

/**
 * Finds the family of a checkpoint.
 * @param names - Which list of the architecture `name` is looked up in.
 * @throws `UnsupportedError` Naming the ones that are built.
 */
export function findArchitecture(path: string, names: 'ggufNames' | 'huggingFaceNames', name: string): Architecture {
  const found = ARCHITECTURES.find((architecture) => architecture[names].includes(name));
  if (found !== undefined) return found;
  const known = ARCHITECTURES.flatMap((architecture) => architecture[names]).join(', ');
  throw new UnsupportedError(
    `architecture ${name}`,
    `${path}: the model's architecture is '${name.slice(0, 80)}', expected one of: ${known}`,
  );
}
