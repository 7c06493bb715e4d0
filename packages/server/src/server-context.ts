import type { ServerResponse } from 'node:http';
import type { GenerateRequest } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { Generation } from './generation.js';
import type { AccessRecord } from './http/access-log.js';
import type { Authenticator } from './http/authentication.js';
import type { LazyMetrics } from './metrics/lazy-metrics.js';
import type { ModelDirectory } from './model-directory.js';
import type { OngoingAnswer } from './ongoing-answer.js';
import type { PromptBound } from './requests/prompt-bound.js';
import type { RequestSchemas } from './requests/request-schemas.js';
import type { RequestTemplates } from './requests/request-templates.js';
import type { SamplingContext } from './requests/sampling-fields.js';
import type { ServedModel } from './served-model.js';
import type { KeptServerOptions } from './server-options.js';

/** What all routes share. */
export interface ServerContext {
  readonly models: ModelDirectory;
  /** When the server was made, seconds since 1970. */
  readonly createdAt: number;
  readonly options: KeptServerOptions;
  readonly metrics: LazyMetrics;
  /** Checks API keys, which may be replaced while the server runs. */
  readonly users: Authenticator;
  /** Checks the admin key; without one there are no routes for it. */
  readonly admins: Authenticator;
  readonly schemas: RequestSchemas;
  /** Answers that are not complete. */
  readonly ongoing: Set<OngoingAnswer>;
}

/** What routes of the language model share. */
export interface GenerationContext extends ServerContext {
  readonly model: ServedModel;
  readonly promptBound: PromptBound;
  readonly templates: RequestTemplates;
  readonly sampling: SamplingContext;
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
  context: GenerationContext,
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
  trackAnswer(context, generation, response);
  return generation;
}

/** Lets an administrator or the server's end abort an answer. If the socket closes before it is complete, it is aborted too. */
export function trackAnswer({ ongoing }: ServerContext, answer: OngoingAnswer, response: ServerResponse): void {
  response.once('close', () => {
    ongoing.delete(answer);
    answer.abort();
  });
  ongoing.add(answer);
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
