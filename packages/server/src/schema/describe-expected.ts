import type { SchemaNode } from './schema-node.js';

/** What a schema wants, in words: "an integer from 0 to 64". */
export function describeExpected(schema: SchemaNode): string {
  const said = schema['x-expected'];
  if (said !== undefined) return said;
  switch (schema.type) {
    case 'integer':
      return `an integer ${describeBounds(schema)}`.trimEnd();
    case 'number':
      return `a number ${describeBounds(schema)}`.trimEnd();
    case 'boolean':
      return 'true or false';
    case 'string':
      return schema.minLength === 1 ? 'a string that is not empty' : 'a string';
    case 'array':
      return schema.minItems === 1 ? 'an array that is not empty' : 'an array';
    case 'object':
      return 'a JSON object';
    default:
      return 'another value';
  }
}

function describeBounds({ minimum, maximum, exclusiveMinimum }: SchemaNode): string {
  if (exclusiveMinimum !== undefined) {
    return maximum === undefined ? `above ${exclusiveMinimum}` : `above ${exclusiveMinimum} and up to ${maximum}`;
  }
  if (minimum === undefined) return '';
  return maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
}
