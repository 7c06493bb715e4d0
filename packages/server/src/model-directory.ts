import { InvalidArgumentError, type Tokenizer } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { quote } from './requests/describe-value.js';
import type { EmbedderEntry, ServedEmbedder } from './served-embedder.js';
import type { ServedModel } from './served-model.js';

/** A model of a server, as `/v1/models` shows it. */
export interface DirectoryEntry {
  /** Name under which clients ask for it. */
  readonly name: string;
  /** The model's own. */
  readonly ownName: string;
  readonly maxModelLen: number;
  readonly tokenizer: Tokenizer;
  /** What it is; absent for the language model. */
  readonly embedder?: ServedEmbedder;
}

/** Which of a server's models a request asks for. Names are those of clients; the first of a kind is its default. */
export class ModelDirectory {
  /** Every name, the language model's first. */
  readonly entries: readonly DirectoryEntry[];
  readonly embedders: readonly ServedEmbedder[];
  readonly #model: ServedModel | undefined;

  /**
   * @param modelNames - Names of the language model. Default: its own.
   * @throws `InvalidArgumentError` When there is no model, or two have the same name.
   */
  constructor(
    model: ServedModel | undefined,
    modelNames: readonly string[] | undefined,
    embedders: readonly EmbedderEntry[],
  ) {
    this.#model = model;
    this.embedders = embedders.map(({ embedder }) => embedder);
    this.entries = [
      ...(model === undefined ? [] : (modelNames ?? [model.name]).map((name) => languageEntry(name, model))),
      ...embedders.flatMap(({ embedder, names = [embedder.name] }) =>
        names.map((name) => embedderEntry(name, embedder)),
      ),
    ];
    if (this.entries.length === 0) {
      throw new InvalidArgumentError('model', 'there is nothing to serve: expected a model, embedders or both');
    }
    const twice = this.entries.find(({ name }, i) => this.entries.findIndex((each) => each.name === name) < i);
    if (twice !== undefined) {
      throw new InvalidArgumentError('embedders', `two models are called '${twice.name}': give each a name of its own`);
    }
  }

  get names(): readonly string[] {
    return this.entries.map(({ name }) => name);
  }

  get hasLanguageModel(): boolean {
    return this.#model !== undefined;
  }

  /** What broke one of the models for good; `undefined` while all is well. */
  get failure(): Error | undefined {
    return this.#model?.engine.failure ?? this.embedders.find(({ failure }) => failure !== undefined)?.failure;
  }

  /** Any model by name, the first without one. @throws {@link RequestError} `ERR_UNKNOWN_MODEL`. */
  find(asked: string | undefined): DirectoryEntry {
    return this.#find(asked, this.entries);
  }

  /**
   * Name of the language model.
   * @throws {@link RequestError} `ERR_UNKNOWN_MODEL`; `ERR_UNSUITABLE_MODEL` for the name of an embedder.
   */
  languageName(asked: string | undefined): string {
    const suitable = this.entries.filter(({ embedder }) => embedder === undefined);
    this.#checkKind(asked, suitable, 'turns texts into vectors and generates none; use /v1/embeddings');
    return this.#find(asked, suitable).name;
  }

  /**
   * An embedder by name, the first without one.
   * @throws {@link RequestError} `ERR_UNKNOWN_MODEL`; `ERR_UNSUITABLE_MODEL` for the name of the language model.
   */
  embedder(asked: string | undefined): { readonly name: string; readonly embedder: ServedEmbedder } {
    const suitable = this.entries.filter(({ embedder }) => embedder !== undefined);
    this.#checkKind(asked, suitable, 'generates text and has no vectors; use an embedding model');
    const { name, embedder } = this.#find(asked, suitable);
    return { name, embedder: embedder! };
  }

  #find(asked: string | undefined, suitable: readonly DirectoryEntry[]): DirectoryEntry {
    const found = asked === undefined ? suitable[0] : suitable.find(({ name }) => name === asked);
    if (found !== undefined) return found;
    throw new RequestError(
      'ERR_UNKNOWN_MODEL',
      `model ${quote(asked ?? '')} is not served here; ask for ${suitable.map(({ name }) => quote(name)).join(' or ')}`,
      'model',
    );
  }

  #checkKind(asked: string | undefined, suitable: readonly DirectoryEntry[], what: string): void {
    const other = this.entries.find(({ name }) => name === asked);
    if (other === undefined || suitable.includes(other)) return;
    const names = suitable.map(({ name }) => quote(name)).join(' or ');
    throw new RequestError('ERR_UNSUITABLE_MODEL', `model ${quote(other.name)} ${what}: ${names}`, 'model');
  }
}

function languageEntry(name: string, { name: ownName, engine, tokenizer }: ServedModel): DirectoryEntry {
  return { name, ownName, maxModelLen: engine.limits.maxModelLen, tokenizer };
}

function embedderEntry(name: string, embedder: ServedEmbedder): DirectoryEntry {
  const { name: ownName, limits, tokenizer } = embedder;
  return { name, ownName, maxModelLen: limits.maxModelLen, tokenizer, embedder };
}
