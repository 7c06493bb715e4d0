import { checkServerOptions, type KvasirServerOptions } from '@kvasir/server';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { UsageError } from '../flags/usage-error.js';
import { version } from '../version.js';
import { limitOptions } from './limit-flags.js';
import type { ServeSecrets } from './serve-secrets.js';

/**
 * What the flags ask of the server, checked before a model is loaded.
 * @throws {@link UsageError} For flags that ask for nothing without another one.
 * @throws `InvalidArgumentError` Naming an option that cannot be used.
 */
export function serverOptions(flags: ParsedFlags, { apiKeys, tls }: ServeSecrets): KvasirServerOptions {
  const isOn = (name: string) => flags.values.get(name) === true;
  const adminKey = flags.values.get('admin-key') as string | undefined;
  if (isOn('log-prompts') && !isOn('enable-log-requests')) {
    throw new UsageError('--log-prompts: expected --enable-log-requests beside it, got none; add it');
  }
  if (isOn('isolate-tenants') && apiKeys.every(({ name }) => name === undefined)) {
    throw new UsageError('--isolate-tenants: expected API keys with names (NAME:KEY), got none; give each tenant one');
  }
  const options: KvasirServerOptions = {
    ...limitOptions(flags),
    apiKeys,
    ...(adminKey === undefined ? {} : { adminKey }),
    ...(tls === undefined ? {} : { tls }),
    isolateTenants: isOn('isolate-tenants'),
    metricsWithoutKey: isOn('metrics-without-key'),
    metricsPrefix: String(flags.values.get('metrics-prefix')),
    corsOrigins: (flags.values.get('cors-origin') ?? []) as readonly string[],
    trustRequestChatTemplate: isOn('trust-request-chat-template'),
    version: version(),
    logPrompts: isOn('log-prompts'),
  };
  checkServerOptions(options);
  return options;
}
