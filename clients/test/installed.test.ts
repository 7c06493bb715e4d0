import { test } from 'vitest';

const missing = (process.env['KVASIR_CLIENTS_MISSING'] ?? '').split(',');

for (const name of ['npm', 'python']) {
  test(`clients of ${name} are installed`, ({ skip }) => {
    skip(missing.includes(name), `the registry of ${name} cannot be reached`);
  });
}
