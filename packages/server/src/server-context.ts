import type { ServerResponse } from 'node:http';
import type { GenerateRequest } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { Generation } from './generation.js';
import type { AccessRecord } from './http/access-log.js';
import type { Authenticator } from './http/authentication.js';
import type { LazyMetrics } from './metrics/lazy-metrics.js';
import { quote } from './requests/describe-value.js';
import type { PromptBound } from './requests/prompt-bound.js';
import type { RequestSchemas } from './requests/request-schemas.js';
import type { RequestTemplates } from './requests/request-templates.js';
import type { SamplingContext } from './requests/sampling-fields.js';
import type { ServedModel } from './served-model.js';
import type { KeptServerOptions } from './server-options.js';

/** What routes share. */
export interface ServerContext {
  readonly model: ServedModel;
  /** Names under which clients may ask for the model, the first one being its own in answers. */
  readonly modelNames: readonly string[];
  /** When the server was made, seconds since 1970. */
  readonly createdAt: number;
  readonly options: KeptServerOptions;
  readonly metrics: LazyMetrics;
  /** Checks API keys, which may be replaced while the server runs. */
  readonly users: Authenticator;
  /** Checks the admin key; without one there are no routes for it. */
  readonly admins: Authenticator;
  readonly promptBound: PromptBound;
  readonly schemas: RequestSchemas;
  readonly templates: RequestTemplates;
  readonly sampling: SamplingContext;
  /** Generations whose response is not complete. */
  readonly generations: Set<Generation>;
}

/**
 * Name to answer with.
 * @throws {@link RequestError} `ERR_UNKNOWN_MODEL`.
 */
export function servedName(context: ServerContext, asked: string | undefined): string {
  if (asked === undefined) return context.modelNames[0]!;
  if (context.modelNames.includes(asked)) return asked;
  throw new RequestError(
    'ERR_UNKNOWN_MODEL',
    `model ${quote(asked)} is not served here; ask for ${context.modelNames.map(quote).join(' or ')}`,
    'model',
  );
}

/** Who asks for a generation. */
export interface GenerationClient {
  /** Ids under which its end may be asked for; the first is the answer's own. */
  readonly names: readonly string[];
  readonly response: ServerResponse;
  readonly access: AccessRecord;
}

/**
 * Submits requests on behalf of one HTTP request. If its socket closes before the answer is complete, they are aborted.
 * @throws `KvasirError` What `submit` threw.
 */
export function startGeneration(
  context: ServerContext,
  requests: readonly GenerateRequest[],
  { names, response, access }: GenerationClient,
): Generation {
  if (response.destroyed) throw new RequestError('ERR_GENERATION_ABORTED', 'the client is gone');
  const generation = new Generation(context.model.engine, ofTenant(requests, access.tenant, context.options), {
    names,
    arrivalMs: access.arrivedAt,
    onFirstToken: () => {
      access.timeToFirstTokenMs = context.options.now() - access.arrivedAt;
    },
  });
  response.once('close', () => {
    context.generations.delete(generation);
    generation.abort();
  });
  context.generations.add(generation);
  return generation;
}

/** The name of the API key is the tenant; with `isolateTenants` it keeps cached prefixes apart too. */
function ofTenant(
  requests: readonly GenerateRequest[],
  tenant: string | undefined,
  { isolateTenants }: KeptServerOptions,
): readonly GenerateRequest[] {
  if (tenant === undefined) return requests;
  return requests.map((request) => ({
    ...request,
    tenant,
    ...(isolateTenants ? { cacheSalt: `${tenant}\n${request.cacheSalt ?? ''}` } : {}),
  }));
}
