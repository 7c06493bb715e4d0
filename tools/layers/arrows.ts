/** What may import what: the package graph as docs/architecture.md draws it. Names are folder names under packages/. */
export interface Arrow {
  /** Packages whose sources this one may import. */
  readonly imports: readonly string[];
  /** Packages that it may load by `import()` only, so that a missing binary is an error at run time and not at start. */
  readonly dynamic?: readonly string[];
}

const leaf: Arrow = { imports: ['interfaces'] };
const primitives = ['interfaces', 'block-manager', 'scheduler', 'tokenizer', 'quant', 'model', 'speculative'];
const composed = [...primitives, 'charts', 'engine', 'server', 'router', 'semantic-cache'];
const kernels = ['kernels-cpu', 'kernels-cuda'];

export const ARROWS: Readonly<Record<string, Arrow>> = {
  interfaces: { imports: [] },
  'block-manager': leaf,
  scheduler: leaf,
  tokenizer: leaf,
  quant: leaf,
  speculative: leaf,
  'kernels-cpu': leaf,
  'kernels-cuda': leaf,
  'semantic-cache': leaf,
  router: leaf,
  charts: { imports: [] },
  model: { imports: ['interfaces', 'quant'] },
  engine: { imports: ['interfaces', 'block-manager', 'scheduler', 'tokenizer', 'model', 'speculative'] },
  server: { imports: ['interfaces', 'engine', 'semantic-cache'] },
  cli: { imports: composed, dynamic: kernels },
  testing: { imports: [...composed, ...kernels] },
};
