import { existsSync } from 'node:fs';
import { InvalidArgumentError } from '@kvasir/interfaces';
import type { CatalogueEntry } from './catalogue.js';
import type { HubReference } from './hub/pull-from-hub.js';

/** What a model's name means. */
export type ModelReference =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'catalogue'; readonly entry: CatalogueEntry }
  | { readonly kind: 'hub'; readonly reference: HubReference };

const HUB_ID = /^(?<repository>[\w-][\w.-]*\/[\w-][\w.-]*)(?::(?<file>[\w][\w./-]*))?(?:@(?<revision>[\w][\w./-]*))?$/;

/**
 * Reads a model's name: a path that exists, a catalogue name, or `org/name[:file-or-quant][@revision]`.
 * @throws `InvalidArgumentError` For anything else, naming the catalogue.
 */
export function parseModelReference(name: string, catalogue: readonly CatalogueEntry[]): ModelReference {
  const entry = catalogue.find((known) => known.name === name);
  if (entry !== undefined) return { kind: 'catalogue', entry };
  if (existsSync(name)) return { kind: 'path', path: name };
  const looksLikePath =
    /^(\.{0,2}[/\\]|~|[a-zA-Z]:\\)/.test(name) || /\.(gguf|safetensors)$/.test(name.replace(/.*:/, ''));
  const match = HUB_ID.exec(name);
  if (match !== null && (!looksLikePath || name.includes(':'))) {
    const { repository, file, revision } = match.groups as { repository: string; file?: string; revision?: string };
    if (file?.split('/').includes('..'))
      throw new InvalidArgumentError('model', `model '${name}' names a file outside its repository`);
    return {
      kind: 'hub',
      reference: { repository, ...(file === undefined ? {} : { file }), revision: revision ?? 'main' },
    };
  }
  if (looksLikePath)
    throw new InvalidArgumentError(
      'model',
      `model '${name}' looks like a path, but there is nothing: correct it, or give a known name or a Hugging Face id`,
    );
  const names = catalogue.map((known) => known.name).join(', ');
  throw new InvalidArgumentError(
    'model',
    `model '${name}' is not known: expected a path, a Hugging Face id (org/name[:file][@revision]) or one of: ${names}`,
  );
}
