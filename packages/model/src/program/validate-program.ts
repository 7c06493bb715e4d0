import {
  type DecoderProgram,
  InvariantError,
  type Op,
  type Program,
  type ValueId,
  type ValueRows,
  type WeightId,
} from '@kvasir/interfaces';

/**
 * Checks that a Program means something: every reference exists, every value is written before it is read, once only (in-place ops aside),
 * widths and rows agree, and every KV layer is in one group and written before it is read.
 * @throws `InvariantError` Naming the op; a Program comes from code, so a bad one is a bug.
 */
export function validateProgram(program: Program): void {
  new Validator(program).run();
}

class Validator {
  readonly #program: Program;
  /** An encoder has nothing of it, so that an op that needs it is refused. */
  readonly #cache: Pick<DecoderProgram, 'ropeTables' | 'kvLayers' | 'kvGroups'> = {
    ropeTables: [],
    kvLayers: [],
    kvGroups: [],
  };
  readonly #written = new Set<ValueId>();
  readonly #cached = new Set<number>();
  #at = 0;

  constructor(program: Program) {
    this.#program = program;
    if (program.kind === 'decoder') this.#cache = program;
  }

  run(): void {
    const { ops, weights, values } = this.#program;
    for (const value of values)
      this.#expect(Number.isInteger(value.width) && value.width > 0, `value ${value.name} has width ${value.width}`);
    for (const weight of weights) this.#checkParts(weight.name, weight.parts);
    this.#checkGroups();
    ops.forEach((op, index) => {
      this.#at = index;
      this.#checkOp(op);
    });
    if (this.#program.kind === 'encoder') this.#read(this.#program.output, this.#program.hiddenSize, 'outputs');
    else this.#checkEnd(this.#program);
  }

  #checkEnd({ logits, taps, vocabSize, ops }: DecoderProgram): void {
    this.#read(logits, vocabSize, 'outputs');
    for (const tap of taps)
      this.#expect(this.#written.has(tap.value) && tap.afterOp < ops.length, `tap ${tap.name} names nothing`);
  }

  #checkOp(op: Op): void {
    switch (op.op) {
      case 'embed':
        this.#shape(op.weight, [op.index === 'position' ? this.#program.maxPositions : undefined, this.#width(op.out)]);
        this.#write(op.out, this.#width(op.out), 'tokens');
        break;
      case 'rmsNorm':
        this.#read(op.input, this.#width(op.input));
        this.#shape(op.weight, [op.groupWidth]);
        this.#expect(
          this.#width(op.input) % op.groupWidth === 0,
          `groupWidth ${op.groupWidth} does not divide the row`,
        );
        this.#write(op.out, this.#width(op.input), this.#rows(op.input));
        break;
      case 'layerNorm':
        this.#read(op.input, this.#width(op.input));
        this.#shape(op.weight, [this.#width(op.input)]);
        this.#shape(op.bias, [this.#width(op.input)]);
        this.#write(op.out, this.#width(op.input), this.#rows(op.input));
        break;
      case 'linear':
        this.#read(op.input, this.#width(op.input));
        this.#shape(op.weight, [this.#width(op.out), this.#width(op.input)]);
        if (op.bias !== undefined) this.#shape(op.bias, [this.#width(op.out)]);
        this.#write(op.out, this.#width(op.out), this.#rows(op.input));
        break;
      case 'rope': {
        this.#read(op.value, op.numHeads * op.headDim, 'tokens');
        const table = this.#cache.ropeTables[op.table];
        this.#expect(
          table !== undefined && 2 * table.inverseFrequencies.length <= op.headDim,
          `rope table ${op.table} does not fit`,
        );
        break;
      }
      case 'kvWrite': {
        const width = this.#kvWidth(op.layer);
        this.#read(op.key, width, 'tokens');
        this.#read(op.value, width, 'tokens');
        this.#cached.add(op.layer);
        break;
      }
      case 'pagedAttention': {
        this.#kvWidth(op.layer);
        const { headDim = 0, numKvHeads = 1 } = this.#cache.kvLayers[op.layer] ?? {};
        this.#expect(this.#cached.has(op.layer), `reads layer ${op.layer} before it is written`);
        this.#expect(op.numHeads % numKvHeads === 0, `${op.numHeads} heads over ${numKvHeads} KV heads`);
        this.#expect(this.#windowIsKept(op.layer, op.window), `window ${op.window} is wider than what its group keeps`);
        this.#read(op.query, op.numHeads * headDim, 'tokens');
        this.#write(op.out, op.numHeads * headDim, 'tokens');
        break;
      }
      case 'bidirectionalAttention': {
        const width = this.#width(op.out);
        this.#expect(width % op.numHeads === 0, `${op.numHeads} heads do not divide ${width}`);
        for (const value of [op.query, op.key, op.value]) this.#read(value, width, 'tokens');
        this.#write(op.out, width, 'tokens');
        break;
      }
      case 'activation':
        this.#read(op.input, this.#width(op.out));
        this.#write(op.out, this.#width(op.out), this.#rows(op.input));
        break;
      case 'gatedActivation':
        this.#read(op.gate, this.#width(op.out));
        this.#read(op.up, this.#width(op.out));
        this.#write(op.out, this.#width(op.out), this.#rows(op.gate));
        break;
      case 'add':
        this.#read(op.a, this.#width(op.out));
        this.#read(op.b, this.#width(op.out), this.#rows(op.a));
        this.#write(op.out, this.#width(op.out), this.#rows(op.a));
        break;
      case 'gatherOutputs':
        this.#read(op.input, this.#width(op.out), 'tokens');
        this.#write(op.out, this.#width(op.out), 'outputs');
        break;
      case 'softcap':
      case 'allReduce':
        this.#read(op.value, this.#width(op.value));
        break;
      case 'moeRoute':
        this.#read(op.logits, this.#width(op.logits));
        this.#write(op.experts, op.topK, this.#rows(op.logits));
        this.#write(op.expertWeights, op.topK, this.#rows(op.logits));
        break;
      case 'pool':
        this.#read(op.input, this.#width(op.out), 'tokens');
        this.#write(op.out, this.#width(op.out), 'outputs');
        break;
    }
  }

  #checkParts(name: string, parts: Program['weights'][number]['parts']): void {
    for (const { file, offset, length } of parts) {
      const size = this.#program.files[file]?.sizeBytes ?? -1;
      this.#expect(offset >= 0 && length >= 0 && offset + length <= size, `weight ${name} lies outside its file`);
    }
  }

  #checkGroups(): void {
    const grouped = this.#cache.kvGroups.flatMap((group) => group.layers).sort((a, b) => a - b);
    const complete = grouped.length === this.#cache.kvLayers.length && grouped.every((layer, index) => layer === index);
    this.#expect(complete, 'KV groups do not hold every layer exactly once');
    for (const { kind, window } of this.#cache.kvGroups) {
      this.#expect(
        (kind === 'window') === (window !== undefined && window > 0),
        'a window group needs a window, a full one has none',
      );
    }
  }

  #windowIsKept(layer: number, window: number | undefined): boolean {
    const kept = this.#cache.kvGroups.find((group) => group.layers.includes(layer))?.window;
    return kept === undefined || (window !== undefined && window <= kept);
  }

  #kvWidth(layer: number): number {
    const spec = this.#cache.kvLayers[layer];
    this.#expect(spec !== undefined, `KV layer ${layer} does not exist`);
    return spec === undefined ? 0 : spec.numKvHeads * spec.headDim;
  }

  #read(value: ValueId, width: number, rows: ValueRows = this.#rows(value)): void {
    this.#expect(this.#written.has(value), `reads value ${value} before it is written`);
    this.#expect(this.#width(value) === width, `reads ${this.#width(value)} wide, expected ${width}`);
    this.#expect(this.#rows(value) === rows, `reads one row a ${this.#rows(value)}, expected ${rows}`);
  }

  #write(value: ValueId, width: number, rows: ValueRows): void {
    this.#expect(!this.#written.has(value), `writes value ${value} twice`);
    this.#expect(this.#width(value) === width, `writes ${width} into a value ${this.#width(value)} wide`);
    this.#expect(this.#rows(value) === rows, `writes one row a ${rows} into ${this.#rows(value)}`);
    this.#written.add(value);
  }

  #shape(weight: WeightId, expected: readonly (number | undefined)[]): void {
    const { name = '(none)', shape = [] } = this.#program.weights[weight] ?? {};
    const fits =
      shape.length === expected.length && expected.every((size, axis) => size === undefined || size === shape[axis]);
    this.#expect(
      fits,
      `weight ${weight} ${name} has shape [${shape}], expected [${expected.map((size) => size ?? 'any')}]`,
    );
  }

  #width(value: ValueId): number {
    return this.#program.values[value]?.width ?? -1;
  }

  #rows(value: ValueId): ValueRows {
    return this.#program.values[value]?.rows ?? 'tokens';
  }

  #expect(holds: boolean, problem: string): void {
    if (holds) return;
    throw new InvariantError(`program ${this.#program.name} op ${this.#at}: ${problem}`, { op: this.#at });
  }
}
