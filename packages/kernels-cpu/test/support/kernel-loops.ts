/** A loop without loops inside, as the compiler left it. */
export interface InnerLoop {
  readonly numInstructions: number;
  /** Dot products and multiply-adds. */
  readonly numProducts: number;
  /** Vector instructions that read or write the stack: spilled accumulators, operands and constants. */
  readonly numStackMoves: number;
}

interface Instruction {
  readonly address: number;
  readonly text: string;
}

const PRODUCT = /^(?:vpdpbusd|vdpbf16ps|vpmaddubsw|vfmadd\w+)\b/;

/** Inner loops with products of every function of `objdump -dC --no-show-raw-insn`, by demangled name. */
export function innerLoops(disassembly: string): ReadonlyMap<string, readonly InnerLoop[]> {
  const loops = new Map<string, readonly InnerLoop[]>();
  for (const part of disassembly.split(/\n\s*\n/)) {
    const [head = '', ...lines] = part.trim().split('\n');
    const name = /^[0-9a-f]+ <(.*)>:$/.exec(head)?.[1];
    if (name !== undefined) loops.set(name, loopsOf(lines.flatMap(instruction)));
  }
  return loops;
}

function instruction(line: string): Instruction[] {
  const match = /^\s*([0-9a-f]+):\s+(.*)$/.exec(line);
  return match === null ? [] : [{ address: Number.parseInt(match[1] as string, 16), text: match[2] as string }];
}

function loopsOf(code: readonly Instruction[]): InnerLoop[] {
  // rbp is a frame pointer only where the prologue makes it one.
  const frame = code.some(({ text }) => /^mov\s+%rsp,%rbp/.test(text)) ? /\(%r[sb]p[,)]/ : /\(%rsp[,)]/;
  const bodies = code.flatMap(({ address, text }) => {
    const target = Number.parseInt(/^j\w+\s+([0-9a-f]+)/.exec(text)?.[1] ?? '', 16);
    return target <= address ? [{ begin: target, end: address }] : [];
  });
  const inner = bodies.filter(
    (body) => !bodies.some((other) => other !== body && other.begin >= body.begin && other.end <= body.end),
  );
  return inner
    .map(({ begin, end }) => {
      const texts = code.filter(({ address }) => address >= begin && address <= end).map(({ text }) => text);
      return {
        numInstructions: texts.length,
        numProducts: texts.filter((text) => PRODUCT.test(text)).length,
        numStackMoves: texts.filter((text) => /%[xyz]mm/.test(text) && frame.test(text)).length,
      };
    })
    .filter(({ numProducts }) => numProducts > 0);
}
