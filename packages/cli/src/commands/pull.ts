import { resolveModel } from '@kvasir/model';
import type { Command } from '../command.js';
import { createPullReporter } from '../terminal/pull-reporter.js';
import { modelName } from './load-llm.js';
import { modelFlags } from './model-flags.js';
import { interruptible } from './shutdown.js';

/** `kvasir pull`: fetches a model into the cache. */
export const pull: Command = {
  help: {
    usage: 'kvasir pull [MODEL] [options]',
    summary:
      'Fetches a model into the cache and prints its path. A hub download that was cut off goes on where it stopped.',
    flags: modelFlags,
  },
  maxPositionals: 1,
  async run(flags, context) {
    const name = modelName(flags);
    const reporter = createPullReporter(name, context.stderr);
    const offline = flags.values.get('offline') === true;
    const options = { offline, env: context.environment, ...reporter.callbacks };
    const model = await interruptible((signal) => resolveModel(name, { ...options, signal })).finally(() =>
      reporter.close(),
    );
    context.stdout.write(`${model.path}\n`);
    return 0;
  },
};
