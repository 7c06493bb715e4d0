import { CATALOGUE, cacheFolder, listCachedModels } from '@kvasir/model';
import type { Command } from '../command.js';
import { formatBytes } from '../terminal/format.js';

/** `kvasir models`: the catalogue and what is cached. */
export const models: Command = {
  help: {
    usage: 'kvasir models',
    summary: 'Lists the models of the catalogue and those in the cache.',
    flags: [],
  },
  maxPositionals: 0,
  async run(_flags, context) {
    const cached = await listCachedModels({ env: context.environment });
    context.stdout.write('catalogue\n');
    for (const entry of CATALOGUE) {
      const state = cached.some((model) => model.name === entry.name) ? 'cached' : formatBytes(entry.sizeBytes);
      context.stdout.write(`  ${entry.name.padEnd(16)}${state.padEnd(12)}${entry.description} (${entry.licence})\n`);
    }
    context.stdout.write(`\ncache: ${cacheFolder(context.environment)}\n`);
    for (const model of cached) {
      context.stdout.write(`  ${model.name.padEnd(16)}${formatBytes(model.sizeBytes).padEnd(12)}${model.path}\n`);
    }
    if (cached.length === 0) context.stdout.write('  empty; fetch a model with: kvasir pull NAME\n');
    return 0;
  },
};
