/** A copy of plain data with the names of the wire: `maxModelLen` is `max_model_len`. Maps become objects, bigints text. */
export function toSnakeCase(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(toSnakeCase);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, each]) => [String(key), toSnakeCase(each)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [snakeCase(key), toSnakeCase(each)]));
}

function snakeCase(name: string): string {
  return name.replace(
    /[A-Z]+(?![a-z])|[A-Z]/g,
    (capitals, at: number) => `${at === 0 ? '' : '_'}${capitals.toLowerCase()}`,
  );
}
