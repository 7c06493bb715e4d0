/**
 * Innermost loops of AArch64 machine code, as `objdump -dC --no-show-raw-insn` prints it.
 * @returns For each function that has any: the number of its multiplying vector instructions and of vector moves from or to the stack,
 *   loop by loop.
 */
export function innerLoopsOfArm64(disassembly) {
  const loops = new Map();
  for (const { name, code } of functionsOf(disassembly)) {
    const indexOf = new Map(code.map(({ address }, index) => [address, index]));
    const all = code.flatMap(({ text }, last) => {
      const target = /^(?:b|b\.\w+|cbn?z|tbn?z)\s(?:.*,\s)?([0-9a-f]+) </.exec(text)?.[1];
      const first = target === undefined ? undefined : indexOf.get(Number.parseInt(target, 16));
      return first !== undefined && first <= last ? [{ first, last }] : [];
    });
    const inner = all.filter(
      (loop) => !all.some((other) => other !== loop && loop.first <= other.first && other.last <= loop.last),
    );
    if (inner.length > 0)
      loops.set(
        name,
        inner.map(({ first, last }) => countsOf(code.slice(first, last + 1))),
      );
  }
  return loops;
}

function countsOf(code) {
  const count = (pattern) => code.filter(({ text }) => pattern.test(text)).length;
  return {
    numProducts: count(/^(?:fmla|sdot|smlal2?|smull2?)\s/),
    numStackMoves: count(/^(?:ldr|str|ldp|stp|ldur|stur)\s+[qd]\d+,.*\[sp/),
  };
}

function functionsOf(disassembly) {
  const functions = [];
  for (const line of disassembly.split('\n')) {
    const name = /^[0-9a-f]+ <(.*)>:$/.exec(line)?.[1];
    const [, address, text] = /^\s+([0-9a-f]+):\s+(.*)$/.exec(line) ?? [];
    if (name !== undefined) functions.push({ name, code: [] });
    else if (address !== undefined) functions.at(-1)?.code.push({ address: Number.parseInt(address, 16), text });
  }
  return functions;
}
