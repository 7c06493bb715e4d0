import { either, flag, integer, list, maybe, optionalAll, record } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import {
  type EmbeddingFields,
  type EmbeddingLimits,
  embeddingFields,
  inputText,
  narrower,
  readEmbeddingFields,
  scoringFields,
} from './embedding-fields.js';
import { type EmbeddingInput, namedInputs } from './embedding-input.js';
import { UNBUILT_RERANK, UNBUILT_SCORING } from './unbuilt-fields.js';

/** A checked body of `POST /v1/rerank`. */
export interface RerankRequest extends EmbeddingFields {
  readonly query: EmbeddingInput;
  /** Their contents are texts. */
  readonly documents: readonly EmbeddingInput[];
  /** Results that are wanted, best first; all of them where there are fewer. */
  readonly topN: number;
  readonly returnDocuments: boolean;
}

/** Schema of the body of `POST /v1/rerank`. */
export function rerankSchema(limits: EmbeddingLimits) {
  const document = either([inputText(limits), record({ text: inputText(limits) })], {
    'x-expected': 'a string or an object with a text',
  });
  return record({
    query: inputText(limits),
    documents: list(document, {
      minItems: 1,
      maxItems: limits.maxEmbeddingInputs,
      'x-entries': 'documents',
      description: 'Texts, or objects with a `text`.',
    }),
    top_n: maybe(integer({ minimum: 0, description: 'Results, best first. Default, and 0: all.' })),
    return_documents: maybe(flag({ description: 'Results hold their document. Default true.' })),
    ...scoringFields(),
    ...embeddingFields(),
    ...optionalAll({ ...UNBUILT_SCORING, ...UNBUILT_RERANK }),
  });
}

/** @throws `RequestError` Naming the first field that cannot be used. */
export function parseRerankRequest(schema: ReturnType<typeof rerankSchema>, value: unknown): RerankRequest {
  const body = checkBody(schema, value);
  const fields = readEmbeddingFields(body);
  const documents = (body.documents as (string | { text: string })[]).map((document) =>
    typeof document === 'string' ? document : document.text,
  );
  return {
    ...fields,
    query: namedInputs('query', body.query, narrower(fields.truncation, body.max_tokens_per_query))[0]!,
    documents: namedInputs('documents', documents, narrower(fields.truncation, body.max_tokens_per_doc)),
    topN: body.top_n == null || body.top_n === 0 ? documents.length : body.top_n,
    returnDocuments: body.return_documents ?? true,
  };
}
