import { type ModelDescription, openModel, type ResolveModelOptions, resolveModel } from '@kvasir/model';

/** How a model that is named is found. */
export interface OpenByNameOptions {
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly pull?: Pick<ResolveModelOptions, 'onProgress' | 'onTerms' | 'onAttemptFailed' | 'onWait'> | undefined;
}

/** Fetches what is not here yet; terms that ask for agreement are shown, if nobody else takes them, as a process warning. */
export async function openModelByName(
  model: string,
  { offline, signal, pull }: OpenByNameOptions,
): Promise<ModelDescription> {
  const { path } = await resolveModel(model, {
    onTerms: ({ summary, url }) => process.emitWarning(`${model}: ${summary} (${url})`),
    ...pull,
    ...(offline === undefined ? {} : { offline }),
    ...(signal === undefined ? {} : { signal }),
  });
  signal?.throwIfAborted();
  return openModel(path);
}
