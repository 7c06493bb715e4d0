import type { BarStream } from './progress-bar.js';

/** Marks text for a terminal, or leaves it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
}

/** Bold and dim on a terminal; plain elsewhere, with `NO_COLOR` and on a dumb terminal. */
export function createStyle(stream: Pick<BarStream, 'isTTY'>, environment: NodeJS.ProcessEnv): Style {
  const isPlain = stream.isTTY !== true || (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  const mark = (code: number) => (text: string) => (isPlain ? text : `\u001b[${code}m${text}\u001b[0m`);
  return { bold: mark(1), dim: mark(2) };
}
