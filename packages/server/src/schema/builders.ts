import {
  Array as ArrayOf,
  Boolean as BooleanOf,
  Integer,
  Null,
  Number as NumberOf,
  Object as ObjectOf,
  Optional,
  Record as RecordOf,
  type SchemaOptions,
  type Static,
  String as StringOf,
  type TArray,
  type TBoolean,
  type TInteger,
  type TNull,
  type TNumber,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TString,
  type TUnion,
  type TUnsafe,
  Union,
  Unsafe,
} from '@sinclair/typebox';

export type { Static, TObject, TProperties, TSchema };

/** What this server adds to JSON Schema, all of it for error messages. */
export interface Notes extends SchemaOptions {
  /** What stands after "expected" when a value has the wrong type or range. Default: said by the schema itself. */
  readonly 'x-expected'?: string;
  /** What the entries of an array are called: "at most 64 strings". */
  readonly 'x-entries'?: string;
  /**
   * The field is known and not built: a value outside the schema is refused with `ERR_UNSUPPORTED_FIELD` and this text.
   */
  readonly 'x-unsupported'?: string;
}

/** A field that may be absent; `null` means the same. */
export type Maybe<T extends TSchema> = TOptional<TUnion<[T, TNull]>>;

/** A field that may be absent or `null`. */
export function maybe<T extends TSchema>(schema: T): Maybe<T> {
  const orNull = schema['type'] === 'null' ? schema : Union([schema, Null()]);
  return Optional(orNull) as Maybe<T>;
}

/** Each of these fields may be absent or `null`. */
export function optionalAll<T extends TProperties>(properties: T): { [Name in keyof T]: Maybe<T[Name]> } {
  const entries = Object.entries(properties).map(([name, schema]) => [name, maybe(schema)]);
  return Object.fromEntries(entries) as { [Name in keyof T]: Maybe<T[Name]> };
}

/** An object that has these fields and no others. */
export function record<T extends TProperties>(properties: T, notes: Notes = {}): TObject<T> {
  return ObjectOf(properties, { additionalProperties: false, ...notes });
}

/** An object whose keys the client chooses. */
export function dictionary<T extends TSchema>(
  value: T,
  notes: Notes & { maxProperties?: number; propertyNames?: { maxLength: number } } = {},
): TUnsafe<Record<string, Static<T>>> {
  return Unsafe<Record<string, Static<T>>>({ type: 'object', additionalProperties: value, ...notes });
}

/** An array. */
export function list<T extends TSchema>(
  items: T,
  notes: Notes & { minItems?: number; maxItems?: number } = {},
): TArray<T> {
  return ArrayOf(items, notes);
}

/** Inclusive bounds of a number. */
export interface Bounds extends Notes {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

/** A whole number that JavaScript holds exactly. */
export function integer(bounds: Bounds): TInteger {
  return Integer(bounds);
}

/** A finite number. */
export function number(bounds: Bounds): TNumber {
  return NumberOf(bounds);
}

/** Text of whole characters: half a surrogate pair has no UTF-8 form and so no tokens. */
export function text(notes: Notes & { minLength?: number; maxLength?: number; pattern?: string } = {}): TString {
  return StringOf(notes);
}

/** `true` or `false`. */
export function flag(notes: Notes = {}): TBoolean {
  return BooleanOf(notes);
}

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T, notes: Notes = {}): TUnsafe<T[number]> {
  return Unsafe<T[number]>({ type: 'string', enum: [...words], ...notes });
}

/** One value only. */
export function constant<const T extends string | boolean | number>(value: T, notes: Notes = {}): TUnsafe<T> {
  return Unsafe<T>({ const: value, ...notes });
}

/** One of several forms; they are told apart by their JSON type, arrays by their first entry. */
export function either<T extends TSchema[]>(forms: [...T], notes: Notes = {}): TUnsafe<Static<T[number]>> {
  return Unsafe<Static<T[number]>>({ anyOf: forms, ...notes });
}

const UNBUILT = 'Not supported. Values that ask for nothing are accepted.';

/** A known field that does nothing: only `null` is accepted. */
export function never(): TSchema {
  return unbuilt({ type: 'null', description: 'Not supported.' }, 'leave it out');
}

/** A known field that does nothing: only these values, which ask for nothing, are accepted. */
export function only(...values: readonly (string | number | boolean)[]): TSchema {
  const listed = values.map((value) => JSON.stringify(value)).join(' or ');
  return unbuilt({ enum: [...values] }, `send ${listed} or leave it out`);
}

/** A known field that does nothing: only an empty array is accepted. */
export function onlyEmptyArray(): TSchema {
  return unbuilt({ type: 'array', items: {}, maxItems: 0 }, 'send [] or leave it out');
}

/** A known field that does nothing: only an empty object is accepted. */
export function onlyEmptyObject(): TSchema {
  return unbuilt({ type: 'object', maxProperties: 0 }, 'send {} or leave it out');
}

/** A known field that does nothing, whatever the schema accepts. */
export function unbuilt(schema: Record<string, unknown>, hint: string): TSchema {
  return Unsafe({
    description: UNBUILT,
    ...schema,
    'x-unsupported': `which this server does not support; ${hint}`,
  } satisfies Notes);
}

/** Any JSON. */
export function anything(notes: Notes = {}): TUnsafe<unknown> {
  return Unsafe<unknown>(notes);
}

/** Keys of an object with values of one kind, in answers. */
export function mapOf<T extends TSchema>(value: T, notes: Notes = {}): TSchema {
  return RecordOf(StringOf(), value, notes);
}

/** A value that may be `null`, in answers. */
export function nullable<T extends TSchema>(schema: T, notes: Notes = {}): TUnion<[T, TNull]> {
  return Union([schema, Null()], notes);
}
