/** Objects whose keys are tokens and not names of fields. */
const KEYED_BY_TOKEN = /(?:^|\.)(top_logprobs\[\]|prompt_logprobs\[\])$/;

/**
 * Fields of some JSON, each with the types that it has there.
 * @returns Map of paths such as `choices[].delta.content` to sorted types such as `null|string`.
 */
export function shapeOf(...values) {
  const types = new Map();
  for (const value of values) collect(value, '', types);
  return new Map([...types].map(([path, set]) => [path, [...set].sort().join('|')]));
}

function collect(value, path, types) {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  if (path !== '') types.set(path, (types.get(path) ?? new Set()).add(type));
  if (type === 'array') {
    for (const each of value) collect(each, `${path}[]`, types);
  } else if (type === 'object') {
    const isKeyedByToken = KEYED_BY_TOKEN.test(path) && !('token' in value);
    for (const [key, each] of Object.entries(value)) {
      const name = isKeyedByToken ? '*' : key;
      collect(each, path === '' ? name : `${path}.${name}`, types);
    }
  }
}

/** Shapes of the phases of a stream: first chunk, chunks of text, chunks that end a choice, usage, and how it closes. */
export function streamShapes(text) {
  const events = text.split('\n\n').filter((event) => event !== '');
  const phases = { first: [], text: [], end: [], usage: [] };
  /** Of each choice: several come as they are made. */
  const orders = new Map();
  for (const event of events) {
    const data = event.replace(/^data: /, '');
    const chunk = data === '[DONE]' ? undefined : JSON.parse(data);
    const phase = chunk === undefined ? 'done' : phaseOf(chunk, phases);
    for (const index of indicesOf(chunk, orders)) {
      const order = orders.get(index) ?? [];
      if (order.at(-1) !== phase) order.push(phase);
      orders.set(index, order);
    }
    if (chunk !== undefined) phases[phase].push(chunk);
  }
  const shapes = Object.entries(phases).flatMap(([phase, chunks]) =>
    [...shapeOf(...chunks)].map(([path, type]) => [`${phase} chunk: ${path}`, type]),
  );
  const distinct = new Set([...orders.values()].map((order) => order.join(', ')));
  return new Map([['order of chunks', [...distinct].sort().join('; ')], ...shapes]);
}

/** Choices that a chunk is about; the usage and the end are about all. */
function indicesOf(chunk, orders) {
  return chunk === undefined || chunk.choices.length === 0
    ? [...orders.keys()]
    : new Set(chunk.choices.map(({ index }) => index));
}

function phaseOf(chunk, phases) {
  if (chunk.choices.length === 0) return 'usage';
  if (chunk.choices.some((choice) => choice.finish_reason !== null)) return 'end';
  return chunk.object === 'chat.completion.chunk' &&
    chunk.choices[0].delta.role !== undefined &&
    phases.text.length === 0
    ? 'first'
    : 'text';
}
