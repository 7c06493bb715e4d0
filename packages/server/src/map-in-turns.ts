import { setImmediate as nextTurn } from 'node:timers/promises';

/** Characters that are tokenized in one turn of the event loop, unless one text is longer. */
const CHARACTERS_A_TURN = 32_768;

/** Maps texts (or token ids) one after the other; other requests get their turn between long ones. */
export async function mapInTurns<T, R>(
  items: readonly T[],
  lengthOf: (item: T) => number,
  map: (item: T, index: number) => R,
): Promise<readonly R[]> {
  const results: R[] = [];
  let numCharacters = 0;
  for (const [index, item] of items.entries()) {
    numCharacters += lengthOf(item);
    if (index > 0 && numCharacters > CHARACTERS_A_TURN) {
      await nextTurn();
      numCharacters = lengthOf(item);
    }
    results.push(map(item, index));
  }
  return results;
}
