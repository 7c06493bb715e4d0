export type { CommandContext } from './command.js';
export { run } from './run.js';
