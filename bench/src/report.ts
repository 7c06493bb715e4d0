import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeMachine } from './machine.js';

/** One committed result file: what was run, on what, and what came out. */
export interface Report {
  readonly name: string;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly results: unknown;
}

/** Writes `bench/results/<date>-<name>.json` and says where. */
export async function writeReport(report: Report): Promise<string> {
  const folder = new URL('../results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const date = new Date().toISOString();
  const file = new URL(`${date.slice(0, 10)}-${report.name}.json`, folder);
  const body = { date, machine: await describeMachine(), ...report };
  writeFileSync(file, `${JSON.stringify(body, null, 2)}\n`);
  return fileURLToPath(file);
}

/** Writes `bench/results/<date>-<name>.svg` and says where. */
export function writeDrawing(name: string, svg: string): string {
  const file = new URL(`../results/${new Date().toISOString().slice(0, 10)}-${name}.svg`, import.meta.url);
  writeFileSync(file, svg);
  return fileURLToPath(file);
}

/** Prints rows of equal length as an aligned table; the first row is the head. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  rows.forEach((row, index) => {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    );
    if (index === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  });
}
