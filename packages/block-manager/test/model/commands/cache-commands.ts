import { KvasirError } from '@kvasir/interfaces';
import type fc from 'fast-check';
import { expect } from 'vitest';
import { assertInvariants, contentOf, firstVisiblePosition, type Model, nameOf, reached, settle } from '../model.js';
import { chainNames } from '../names.js';
import type { Real } from './sequence-commands.js';

abstract class OnCache implements fc.Command<Model, Real> {
  check(_model: Readonly<Model>): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    this.act(model, real);
    this.#follow(model);
    assertInvariants(model, real);
  }

  abstract act(model: Model, real: Real): void;

  #follow(model: Model): void {
    model.follower.pinned = new Set([...model.pins.values()].flatMap((names) => [...names]));
  }

  toString(): string {
    return `${this.constructor.name}()`;
  }
}

export class Reset extends OnCache {
  act(model: Model, real: Real): void {
    model.follower.isUpheaval = true;
    real.resetPrefixCache();
    model.follower.isUpheaval = false;
    expect(real.stats().numCachedBlocks).toBeLessThanOrEqual(real.numBlocks - real.numFreeBlocks);
    expect(model.follower.tiers.host.size).toBe(0);
  }
}

export class Pin extends OnCache {
  readonly name: string;
  readonly tokens: readonly number[];
  readonly salt: string;

  constructor(name: string, tokens: readonly number[], salt: string) {
    super();
    this.name = name;
    this.tokens = tokens;
    this.salt = salt;
  }

  override check(model: Readonly<Model>): boolean {
    return model.isCaching;
  }

  act(model: Model, real: Real): void {
    const names = chainNames(model.blockSize, this.salt, this.tokens);
    const end = names.length * model.blockSize;
    const wanted = new Set<string>();
    model.groups.forEach((group, index) => {
      const first = Math.floor(firstVisiblePosition(group, end) / model.blockSize);
      for (const hash of names.slice(first)) wanted.add(nameOf({ hash, group: index }));
    });
    const others = [...model.pins].flatMap(([name, pinned]) => (name === this.name ? [] : [...pinned]));
    const total = new Set([...others, ...wanted]).size;
    try {
      real.pin(this.name, Int32Array.from(this.tokens), this.salt === '' ? {} : { salt: this.salt });
    } catch (error) {
      expect(KvasirError.isInstance(error, 'ERR_PIN_LIMIT')).toBe(true);
      expect(error).toMatchObject({ numBlocks: total });
      reached.pinRefused++;
      return;
    }
    model.pins.set(this.name, wanted);
    reached.pinned++;
  }

  override toString(): string {
    return `Pin(${this.name}, ${this.tokens.join('')}, '${this.salt}')`;
  }
}

export class Unpin extends OnCache {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }

  act(model: Model, real: Real): void {
    expect(real.unpin(this.name)).toBe(model.pins.delete(this.name));
  }

  override toString(): string {
    return `Unpin(${this.name})`;
  }
}

/** Someone takes or gives back the blocks of a sequence; what is taken stays as it is meanwhile. */
export class ExportOrRelease extends OnCache {
  readonly pick: number;

  constructor(pick: number) {
    super();
    this.pick = pick;
  }

  override check(model: Readonly<Model>): boolean {
    return model.failed === null;
  }

  act(model: Model, real: Real): void {
    if (model.exports.length > 0 || model.sequences.length === 0) {
      for (const lease of model.exports.splice(0)) {
        for (const { hash, group, block } of lease.blocks) {
          const again = real.exportBlocks([hash, hash]);
          // What a failed step should have loaded was taken back meanwhile.
          if (model.follower.tiers.pool.has(nameOf({ hash, group })))
            expect(again.blocks).toContainEqual({ hash, group, block });
          again.release();
        }
        lease.release();
        lease.release();
      }
      return;
    }
    const { id, salt, tokens, computed } = model.sequences[this.pick % model.sequences.length]!;
    const lease = real.exportBlocks(id);
    const names = model.isCaching ? chainNames(model.blockSize, salt, tokens.slice(0, computed)) : [];
    const expected = names.flatMap((hash) => model.groups.map((_, group) => nameOf({ hash, group })));
    expect(lease.blocks.map(nameOf)).toEqual(expected.filter((name) => model.follower.tiers.pool.has(name)));
    model.exports.push(lease);
    if (lease.blocks.length > 0) reached.exported++;
  }
}

/** Blocks come from another process: named by content, written by whoever brings them. */
export class Import extends OnCache {
  readonly tokens: readonly number[];
  readonly salt: string;

  constructor(tokens: readonly number[], salt: string) {
    super();
    this.tokens = tokens;
    this.salt = salt;
  }

  override check(model: Readonly<Model>): boolean {
    return model.failed === null && model.imports.length < 2;
  }

  act(model: Model, real: Real): void {
    const { blockSize, device } = model;
    const names = chainNames(blockSize, this.salt, this.tokens).flatMap((hash) =>
      model.groups.map((_, group) => ({ hash, group })),
    );
    model.follower.learn(this.salt, this.tokens);
    const before = [...real.cachedBlocks('pool')];
    const imported = real.importBlocks(names);
    // What is evicted to make room is carried off first.
    settle(model, real);
    for (const { hash, group, block } of imported.blocks) {
      const { salt, tokens } = model.follower.contentOf(hash);
      for (let offset = 0; offset < blockSize; offset++) {
        device.writeCell(block, offset, contentOf(salt, group, tokens, tokens.length - blockSize + offset));
      }
    }
    const missing = names.filter((name) => !before.some((each) => nameOf(each) === nameOf(name)));
    expect(imported.blocks.map(nameOf)).toEqual(missing.slice(0, imported.blocks.length).map(nameOf));
    if (model.isCaching && imported.blocks.length < missing.length) expect(real.numFreeBlocks).toBe(0);
    const present = model.isCaching ? before.filter((each) => names.some((name) => nameOf(name) === nameOf(each))) : [];
    model.imports.push({ real: imported, present });
    if (imported.blocks.length > 0) reached.imported++;
  }

  override toString(): string {
    return `Import(${this.tokens.join('')}, '${this.salt}')`;
  }
}

export class EndImport extends OnCache {
  readonly isGood: boolean;

  constructor(isGood: boolean) {
    super();
    this.isGood = isGood;
  }

  override check(model: Readonly<Model>): boolean {
    return model.imports.length > 0;
  }

  act(model: Model): void {
    const { real } = model.imports.shift()!;
    if (this.isGood) real.commit();
    else real.abort();
    real.abort();
  }

  override toString(): string {
    return `EndImport(${this.isGood})`;
  }
}
