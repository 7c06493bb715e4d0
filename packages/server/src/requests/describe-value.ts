const MAX_EXCERPT = 40;

/** A JSON value in a few words, for error messages: `"abc"`, `-1`, `an array of 3`, `an object`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Text in quotes, cut when long. */
export function quote(text: string): string {
  return text.length <= MAX_EXCERPT ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, MAX_EXCERPT))}...`;
}
