export type { CommandContext } from './command.js';
export { run } from './run.js';
export type { BarStream } from './terminal/progress-bar.js';
