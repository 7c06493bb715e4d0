/** `{ [key]: value }`, or nothing for an absent value; spreads into objects whose optional members must not be `undefined`. */
export function defined<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
