/**
 * Values of several streams as they come, each with the index of its stream. A stream is asked for its next value only
 * after its last one was taken. The first error ends all; leaving early leaves them all.
 */
export async function* mergeStreams<T>(
  streams: readonly AsyncIterable<T>[],
): AsyncGenerator<readonly [index: number, value: T], undefined> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const ready: { readonly index: number; readonly result: IteratorResult<T> }[] = [];
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  const pull = (index: number): void => {
    iterators[index]!.next().then(
      (result) => {
        ready.push({ index, result });
        wake();
      },
      (error: unknown) => {
        failure ??= { error };
        wake();
      },
    );
  };
  let numOpen = iterators.length;
  for (let i = 0; i < iterators.length; i++) pull(i);
  try {
    while (numOpen > 0) {
      const next = ready.shift();
      if (next === undefined) {
        if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (next.result.done === true) {
        numOpen--;
      } else {
        yield [next.index, next.result.value];
        pull(next.index);
      }
    }
  } finally {
    for (const iterator of iterators) void iterator.return?.().catch(() => undefined);
  }
  return undefined;
}
