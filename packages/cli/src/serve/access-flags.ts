import type { Flag } from '../flags/flag.js';

/** Flags that decide who may use a server, and over what. */
export const accessFlags: readonly Flag[] = [
  {
    kind: 'list',
    name: 'api-key',
    placeholder: '[NAME:]KEY',
    description:
      'Key of which every request but /health and /ready must carry one; its name is the tenant. A key with a colon of its own is written :KEY.',
  },
  {
    kind: 'string',
    name: 'api-key-file',
    placeholder: 'FILE',
    description: 'Further keys, one a line; # begins a comment. SIGHUP reads it again.',
  },
  {
    kind: 'string',
    name: 'admin-key',
    placeholder: 'KEY',
    description: 'Key of /reset_prefix_cache, /abort_requests, /server_info and /kv_events; without it there are none.',
  },
  {
    kind: 'boolean',
    name: 'isolate-tenants',
    default: false,
    description: 'Cached prefixes are not shared between keys of different names.',
  },
  {
    kind: 'boolean',
    name: 'metrics-without-key',
    default: false,
    description: 'Serve /metrics without a key, then without names of tenants.',
  },
  {
    kind: 'string',
    name: 'metrics-prefix',
    placeholder: 'NAME',
    default: 'vllm',
    description: 'Before the colon of every metric that vLLM has too.',
  },
  {
    kind: 'list',
    name: 'cors-origin',
    placeholder: 'ORIGIN',
    defaultText: 'none',
    description: 'Origin whose pages may call the server, https://app.example say; * for all.',
  },
  {
    kind: 'string',
    name: 'tls-cert',
    aliases: ['ssl-certfile'],
    placeholder: 'FILE',
    description: 'Serve HTTPS: certificate chain as PEM, its own first. SIGHUP reads it again.',
  },
  {
    kind: 'string',
    name: 'tls-key',
    aliases: ['ssl-keyfile'],
    placeholder: 'FILE',
    description: 'Private key of --tls-cert, as PEM.',
  },
  {
    kind: 'string',
    name: 'tls-ca',
    placeholder: 'FILE',
    description: 'Clients need a certificate of one of these authorities, as PEM.',
  },
];
