import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchArguments } from './arguments.js';
import { printTable, writeReport } from './report.js';

/** What the block manager's own benchmark prints. */
interface BlockFigures {
  readonly waste: {
    readonly paged: readonly {
      readonly blockSize: number;
      readonly numDrafts: number;
      readonly wastePercent: number;
    }[];
    readonly contiguousWastePercent: number;
  };
  readonly windows: readonly {
    readonly length: number;
    readonly fullBlocks: number;
    readonly hybridBlocks: number;
    readonly savedPercent: number;
  }[];
  readonly hashing: readonly { readonly length: number; readonly microsecondsPer1000Tokens: number }[];
  readonly operations: readonly {
    readonly numBlocks: number;
    readonly decodeNs: number;
    readonly missNs: number;
    readonly hitNs: number;
  }[];
}

/** Waste, window groups, hashing and operations of the block manager, in a process of its own. */
export async function runBlocks(args: BenchArguments): Promise<void> {
  const script = fileURLToPath(new URL('../../packages/block-manager/bench/blocks.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const figures = JSON.parse(stdout) as BlockFigures;
  printFigures(figures);
  if (!args.write) return;
  const path = await writeReport({
    name: 'blocks',
    command: args.commandLine,
    versions: { Kvasir: 'workspace' },
    settings: { lengths: 'log-normal, means of ShareGPT: 161 in, 338 out', running: 64, windows: 'Gemma 3 270M' },
    results: figures,
  });
  console.log(`\nwritten to ${path}`);
}

function printFigures({ waste, windows, hashing, operations }: BlockFigures): void {
  console.log('Memory held beyond tokens stored, 64 running sequences of a ShareGPT-like mix\n');
  printTable([
    ['block size', 'drafts reserved', 'waste'],
    ...waste.paged.map((row) => [`${row.blockSize}`, `${row.numDrafts}`, `${row.wastePercent.toFixed(2)} %`]),
    ['4,096 tokens for everyone, unpaged', '', `${waste.contiguousWastePercent.toFixed(2)} %`],
  ]);
  console.log('\nOne sequence of Gemma 3 270M (15 of 18 layers see 512 tokens), blocks held while decoding, mean\n');
  printTable([
    ['tokens', 'all layers full', 'window groups', 'saved'],
    ...windows.map((row) => [
      `${row.length}`,
      row.fullBlocks.toFixed(0),
      row.hybridBlocks.toFixed(0),
      `${row.savedPercent.toFixed(1)} %`,
    ]),
  ]);
  console.log('\nHashing at admission\n');
  printTable([
    ['prompt tokens', 'us per 1,000 tokens'],
    ...hashing.map((row) => [`${row.length}`, row.microsecondsPer1000Tokens.toFixed(1)]),
  ]);
  console.log('\nA pool full of cached blocks, best of 31 interleaved rounds\n');
  printTable([
    ['blocks', 'decode token', '64-token prompt, new', '64-token prompt, cached'],
    ...operations.map((row) => [
      `${row.numBlocks}`,
      `${row.decodeNs.toFixed(0)} ns`,
      `${(row.missNs / 1000).toFixed(2)} us`,
      `${(row.hitNs / 1000).toFixed(2)} us`,
    ]),
  ]);
}
