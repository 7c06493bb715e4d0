/** One thing to embed, and how errors call it. */
export interface EmbeddingInput {
  /** Text, or token ids taken as they are. */
  readonly content: string | Int32Array;
  /** `input[3]` say. */
  readonly path: string;
  /** Tokens that a longer one is cut to, -1 for the model's own length; `undefined`: it is refused. */
  readonly truncation: number | undefined;
}

/** Inputs of one field, which holds one of them or a list. */
export function namedInputs(
  field: string,
  contents: string | Int32Array | readonly (string | Int32Array)[],
  truncation: number | undefined,
): readonly EmbeddingInput[] {
  if (typeof contents === 'string' || contents instanceof Int32Array) {
    return [{ content: contents, path: field, truncation }];
  }
  return contents.map((content, index) => ({ content, path: `${field}[${index}]`, truncation }));
}
