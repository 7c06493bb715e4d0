import { createRequire } from 'node:module';
import type { FastifyHttpOptions } from 'fastify';

type SchemaController = NonNullable<FastifyHttpOptions<import('node:http').Server>['schemaController']>;
type CompilersFactory = NonNullable<SchemaController['compilersFactory']>;
type BuildValidator = NonNullable<CompilersFactory['buildValidator']>;
type BuildSerializer = NonNullable<CompilersFactory['buildSerializer']>;

/**
 * Fastify's own schema compilers, loaded when a route first has a schema. None of ours has one, and loading them
 * would cost a cold start some 25 ms.
 */
export function lazyCompilers(): SchemaController {
  return {
    compilersFactory: {
      buildValidator: deferred('@fastify/ajv-compiler') as BuildValidator,
      buildSerializer: deferred('@fastify/fast-json-stringify-compiler') as BuildSerializer,
    },
  };
}

type Build = (...args: readonly unknown[]) => unknown;

function deferred(name: string): Build {
  return (...args) => load(name)(...args);
}

/** They are dependencies of fastify, so they are looked up from where it lies. */
function load(name: string): Build {
  const ofFastify = createRequire(createRequire(import.meta.url).resolve('fastify'));
  return (ofFastify(name) as () => Build)();
}
