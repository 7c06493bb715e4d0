import { RequestError } from '../errors.js';
import { closestName } from '../requests/closest-name.js';
import { describeValue, quote } from '../requests/describe-value.js';
import { countCodePoints } from '../wire/logprobs.js';
import type { Static, TObject } from './builders.js';
import { describeExpected } from './describe-expected.js';
import { invalidField, missingField, wellFormed } from './field-errors.js';
import { type JsonObject, jsonTypeOf, type SchemaNode } from './schema-node.js';

/**
 * Checks a JSON body against a schema, the same one that the OpenAPI document shows. `null` means absent.
 * O(size of the body); nothing is compiled, so that a cold start pays for no schema it does not use.
 * @returns The body itself; it may hold `null` where the schema says that a field may be absent.
 * @throws {@link RequestError} Naming the first field that cannot be used.
 */
export function checkBody<T extends TObject>(schema: T, body: unknown): Static<T> {
  if (jsonTypeOf(body) !== 'object') {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `the body is ${body === undefined ? 'empty' : describeValue(body)}, expected a JSON object; send {...} with content-type application/json`,
    );
  }
  checkValue(schema as SchemaNode, body, '');
  return body as Static<T>;
}

function checkValue(schema: SchemaNode, value: unknown, path: string): void {
  const hint = schema['x-unsupported'];
  if (hint === undefined) checkShape(schema, value, path);
  else if (!matches(schema, value)) {
    throw new RequestError('ERR_UNSUPPORTED_FIELD', `'${path}' is ${describeValue(value)}, ${hint}`, path);
  }
}

function matches(schema: SchemaNode, value: unknown): boolean {
  try {
    checkShape(schema, value, '');
    return true;
  } catch (error) {
    if (error instanceof RequestError) return false;
    throw error;
  }
}

function checkShape(schema: SchemaNode, value: unknown, path: string): void {
  if (schema.anyOf !== undefined) {
    checkForms(schema, schema.anyOf, value, path);
    return;
  }
  if (schema.const !== undefined && value !== schema.const) throw invalid(schema, value, path);
  if (schema.type !== undefined && !hasType(schema.type, value)) throw invalid(schema, value, path);
  if (schema.enum !== undefined && !schema.enum.includes(value)) throw oneOfError(schema, value, path);
  if (typeof value === 'number') checkNumber(schema, value, path);
  else if (typeof value === 'string') checkText(schema, value, path);
  else if (Array.isArray(value)) checkArray(schema, value, path);
  else if (value !== null && typeof value === 'object') checkObject(schema, value as JsonObject, path);
}

/** The form that has the value's type; of several arrays, the first whose entries have the type of the first entry. */
function checkForms(schema: SchemaNode, forms: readonly SchemaNode[], value: unknown, path: string): void {
  const typed = forms.filter((form) => form.type === undefined || hasType(form.type, value));
  if (typed.length === 0) throw invalid(schema, value, path);
  const form =
    typed.length === 1 || !Array.isArray(value) || value.length === 0
      ? typed[0]!
      : (typed.find(({ items }) => items !== undefined && takes(items, value[0])) ?? typed.at(-1)!);
  if (Array.isArray(value) && value.length < (form.minItems ?? 0)) throw invalid(schema, value, path);
  checkValue(form, value, path);
}

function takes({ type, anyOf }: SchemaNode, value: unknown): boolean {
  return type === undefined ? (anyOf?.some((form) => takes(form, value)) ?? true) : hasType(type, value);
}

function hasType(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  return type === jsonTypeOf(value);
}

function checkNumber(schema: SchemaNode, value: number, path: string): void {
  const { minimum, maximum, exclusiveMinimum } = schema;
  const isWithin =
    (minimum === undefined || value >= minimum) &&
    (maximum === undefined || value <= maximum) &&
    (exclusiveMinimum === undefined || value > exclusiveMinimum);
  if (!isWithin) throw invalid(schema, value, path);
}

function checkText(schema: SchemaNode, value: string, path: string): void {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minLength) throw invalid(schema, value, path);
  // JSON Schema counts code points, of which there are never more than code units.
  const numCharacters = value.length > maxLength ? countCodePoints(value) : 0;
  if (numCharacters > maxLength) {
    throw invalidField(path, value, `at most ${maxLength} characters, got ${numCharacters}; shorten it`);
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) throw invalid(schema, value, path);
  wellFormed(value, path);
}

function checkArray(schema: SchemaNode, value: readonly unknown[], path: string): void {
  const { items, maxItems } = schema;
  if (value.length < (schema.minItems ?? 0)) throw invalid(schema, value, path);
  if (maxItems !== undefined && value.length > maxItems) {
    throw invalidField(path, value, `at most ${maxItems} ${schema['x-entries'] ?? 'entries'}; send fewer`);
  }
  if (items === undefined) return;
  if (items.type === 'integer') checkIntegers(items, value, path);
  else for (let i = 0; i < value.length; i++) checkValue(items, value[i], `${path}[${i}]`);
}

/** Token ids come by the hundred thousand. */
function checkIntegers(items: SchemaNode, value: readonly unknown[], path: string): void {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = items;
  for (let i = 0; i < value.length; i++) {
    const entry = value[i];
    if (Number.isSafeInteger(entry) && (entry as number) >= minimum && (entry as number) <= maximum) continue;
    throw invalid(items, entry, `${path}[${i}]`);
  }
}

function checkObject(schema: SchemaNode, value: JsonObject, path: string): void {
  const { properties = {}, additionalProperties, maxProperties } = schema;
  const names = Object.keys(value);
  if (maxProperties !== undefined && names.length > maxProperties) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'${path}' has ${names.length} keys, expected at most ${maxProperties}; send fewer`,
      path,
    );
  }
  const unknown: string[] = [];
  for (const name of names) {
    if (Object.hasOwn(properties, name)) {
      if (value[name] !== null) checkValue(withoutNull(properties[name]!), value[name], join(path, name));
    } else if (typeof additionalProperties === 'object') {
      checkEntry(schema, additionalProperties, name, value[name], path);
    } else if (additionalProperties === false) unknown.push(name);
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name) || value[name] === null) throw missing(properties[name]!, join(path, name));
  }
  if (unknown.length > 0) throw unknownField(unknown[0]!, Object.keys(properties), path);
}

function checkEntry(schema: SchemaNode, entry: SchemaNode, name: string, value: unknown, path: string): void {
  const maxLength = schema.propertyNames?.maxLength ?? Number.POSITIVE_INFINITY;
  if (name.length > maxLength && countCodePoints(name) > maxLength) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'${path}' has the key ${quote(name)}, expected keys of at most ${maxLength} characters; shorten it`,
      path,
    );
  }
  wellFormed(name, path);
  checkValue(entry, value, join(path, name.slice(0, 64)));
}

/** `null` was taken for absence already. */
function withoutNull(schema: SchemaNode): SchemaNode {
  const [form, empty] = schema.anyOf ?? [];
  return schema.anyOf?.length === 2 && empty?.type === 'null' ? form! : schema;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function invalid(schema: SchemaNode, value: unknown, path: string): RequestError {
  return invalidField(path, value, describeExpected(schema));
}

function oneOfError(schema: SchemaNode, value: unknown, path: string): RequestError {
  return invalidField(path, value, `one of ${schema.enum!.join(', ')}`);
}

function missing(schema: SchemaNode, path: string): RequestError {
  const expected = schema.enum === undefined ? describeExpected(schema) : `one of ${schema.enum.join(', ')}`;
  return missingField(path, expected);
}

function unknownField(name: string, known: readonly string[], path: string): RequestError {
  const closest = closestName(name, known);
  const hint = closest === undefined ? 'leave it out' : `did you mean '${closest}'?`;
  const place = path === '' ? '' : ` in '${path}'`;
  return new RequestError(
    'ERR_UNKNOWN_FIELD',
    `field ${quote(name)}${place} is not known; ${hint}`,
    join(path, name.slice(0, 64)),
  );
}
