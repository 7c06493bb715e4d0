import { expectReached, fcParameters } from '@kvasir/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestError } from '../../src/errors.js';
import { RequestSchemas } from '../../src/requests/request-schemas.js';
import type { TObject } from '../../src/schema/builders.js';
import { checkBody } from '../../src/schema/check-body.js';
import type { SchemaNode } from '../../src/schema/schema-node.js';
import { documentOf } from '../support/conformance.js';
import { createFakeEmbedder, WIDTH } from '../support/fake-embedder.js';

// The oracle is Ajv on the published document: what it accepts is accepted, and nothing else is.

const schemas = new RequestSchemas(
  {
    maxLogprobs: 64,
    maxPrompts: 128,
    maxChoices: 128,
    vocabSize: 258,
    maxLogitBias: 2048,
    maxStopStrings: 64,
    maxStopLength: 1024,
  },
  { maxEmbeddingInputs: 3, maxInputCharacters: 512, vocabSize: 258, width: WIDTH },
);
const BODIES = {
  ChatCompletionRequest: schemas.chat,
  CompletionRequest: schemas.completion,
  TokenizeRequest: schemas.tokenize,
  DetokenizeRequest: schemas.detokenize,
  EmbeddingRequest: schemas.embedding,
  RerankRequest: schemas.rerank,
  ScoreRequest: schemas.score,
} as const;

const NUM_RUNS = 500;
/** Required fields as they should be. */
const GOOD: Readonly<Record<string, unknown>> = {
  messages: [{ role: 'user', content: 'x' }],
  prompt: 'x',
  tokens: [1],
  input: ['x'],
  query: 'x',
  documents: ['x', { text: 'y' }],
};

/** Values that the schema accepts or nearly accepts. */
function near(schema: SchemaNode): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(near));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const { minimum = -5, maximum = 300, exclusiveMinimum = minimum } = schema;
  const [from, to] = [Math.max(minimum, -1000), Math.min(maximum, 1000)];
  switch (schema.type) {
    case 'integer':
      return fc.oneof(
        fc.integer({ min: Math.min(from, to), max: Math.max(from, to) }),
        fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1, 0.5, 2 ** 53, 1e300),
      );
    case 'number':
      return fc.oneof(
        fc.double({ min: exclusiveMinimum, max: maximum, noNaN: true }),
        fc.constantFrom(minimum, maximum, maximum + 0.1, exclusiveMinimum, minimum - 0.1),
      );
    case 'string':
      return fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 5 }),
        fc.constantFrom('', 'x'.repeat(512), '😀'.repeat(512), 'x'.repeat(513), 'x'.repeat(1025)),
      );
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(near(schema.items ?? {}), { maxLength: 3 });
    case 'object':
      return nearObject(schema);
    default:
      return fc.jsonValue({ maxDepth: 2, noUnicodeString: false } as object);
  }
}

function nearObject({ properties = {}, required = [], additionalProperties }: SchemaNode): fc.Arbitrary<unknown> {
  const own = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, near(schema)]));
  const base = fc.record(own, { requiredKeys: [...required], noNullPrototype: true });
  if (typeof additionalProperties !== 'object') return base;
  return fc.dictionary(fc.constantFrom('1', 'ab', '', 'x'.repeat(65)), near(additionalProperties), {
    maxKeys: 3,
    noNullPrototype: true,
  });
}

/** A few fields of a body, so that most bodies have no more than one fault. */
function bodyOf(schema: TObject): fc.Arbitrary<Record<string, unknown>> {
  const node = schema as SchemaNode;
  const names = Object.keys(node.properties!);
  const required = fc.record(
    Object.fromEntries(
      (node.required ?? []).map((name) => [
        name,
        fc.oneof(
          { weight: 5, arbitrary: fc.constant(GOOD[name]) },
          { weight: 1, arbitrary: near(node.properties![name]!) },
        ),
      ]),
    ),
    { noNullPrototype: true },
  );
  const field = fc
    .constantFrom(...names)
    .chain((name) =>
      fc
        .oneof(
          { weight: 6, arbitrary: near(node.properties![name]!) },
          { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
          { weight: 3, arbitrary: fc.constant(null) },
        )
        .map((value) => [name, value] as const),
    );
  return fc
    .tuple(
      required,
      fc.array(field, { maxLength: 2 }),
      fc.constantFrom('temprature', 'toString', ...Array.from({ length: 16 }, () => null)),
    )
    .map(([base, fields, unknown]) => ({
      ...base,
      ...Object.fromEntries(fields),
      ...(unknown === null ? {} : { [unknown]: 1 }),
    }));
}

async function withEmbedder() {
  return { embedders: [{ embedder: await createFakeEmbedder() }], maxEmbeddingInputs: 3, maxInputCharacters: 512 };
}

test('a body passes where the document says so, and is refused by name where not', async () => {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(await documentOf(await withEmbedder()), 'document');
  const reached: Record<string, number> = {};
  const cases = fc.oneof(
    ...Object.entries(BODIES).map(([name, schema]) => bodyOf(schema).map((body) => [name, schema, body] as const)),
  );
  fc.assert(
    fc.property(cases, ([name, schema, body]) => {
      // Half a surrogate pair is no JSON text in UTF-8; the document cannot say so.
      fc.pre(!/\\ud[89a-f]/i.test(JSON.stringify(body)));
      const isValid = ajv.getSchema(`document#/components/schemas/${name}`)!(body) as boolean;
      let refusal: unknown;
      try {
        expect(checkBody(schema, body)).toBe(body);
      } catch (error) {
        refusal = error;
      }
      if (refusal !== undefined) {
        expect(refusal).toBeInstanceOf(RequestError);
        const { parameter, message } = refusal as RequestError;
        const blamed = /^[^.[]*/.exec(parameter ?? '')![0];
        expect(Object.keys({ ...body, messages: 0, prompt: 0, tokens: 0 })).toContain(blamed);
        expect(message).toContain(blamed);
      }
      expect(refusal === undefined, String(refusal)).toBe(isValid);
      const key = `${name} ${isValid}`;
      reached[key] = (reached[key] ?? 0) + 1;
    }),
    fcParameters(NUM_RUNS),
  );
  const floors = Object.keys(BODIES).flatMap((name) =>
    [`${name} true`, `${name} false`].map((key) => [key, 0.02] as const),
  );
  expectReached(reached, Object.fromEntries(floors), NUM_RUNS);
});
