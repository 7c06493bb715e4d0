import type { Flag } from './flag.js';

/** A message of the engine in the words of the command line: `maxModelLen` becomes `--max-model-len`. */
export function nameFlags(message: string, flags: readonly Flag[]): string {
  return flags.reduce((text, { kind, name }) => {
    const option = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    // A name of one word is a word of any sentence.
    if (option === name) return text;
    const plural = kind === 'list' ? 's' : '';
    return text.replace(new RegExp(`(?<![\\w-])${option}${plural}\\b`, 'g'), `--${name}`);
  }, message);
}
