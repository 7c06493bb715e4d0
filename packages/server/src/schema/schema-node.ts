import type { Notes } from './builders.js';

/** An object of a JSON document. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON Schema as {@link checkBody} reads it: the keywords that the builders write, and no others. */
export interface SchemaNode extends Notes {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaNode[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly propertyNames?: SchemaNode;
  readonly maxProperties?: number;
}

/** JSON's name of a value's type; `undefined` for what JSON cannot hold. */
export function jsonTypeOf(value: unknown): 'array' | 'boolean' | 'null' | 'number' | 'object' | 'string' | undefined {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type === 'boolean' || type === 'number' || type === 'object' || type === 'string' ? type : undefined;
}
