import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch, env, stderr } from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import budgets from './kernel-budgets.json' with { type: 'json' };
import { innerLoops } from './support/kernel-loops.js';

// The machine code of kernels, without the clock: what a change of source or compiler does to their loops shows here.

const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = env['CXX'] ?? 'g++';
const objectOf = (path: string) =>
  join(root, 'build', 'Release', 'obj.target', `kernels_${path}`, 'native', 'linear', 'isa', `linear_${path}.o`);

function disassemble(file: string): string {
  const { stdout, status } = spawnSync('objdump', ['-dC', '--no-show-raw-insn', file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  expect(status).toBe(0);
  return stdout;
}

const has = (tool: string) => spawnSync(tool, ['--version']).status === 0;
/** Another compiler makes other loops: budgets are of one. */
const isBudgeted = /^g\+\+[^\n]*\) 12\./.test(spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout ?? '');
const isBuilt = arch === 'x64' && existsSync(objectOf('avx2'));
const whyNot = !isBuilt ? 'no x86-64 objects of a build here' : has('objdump') ? '' : 'there is no objdump here';
const whyNoBudgets = whyNot !== '' || isBudgeted ? whyNot : `budgets are those of ${budgets.compiler}`;
if (whyNoBudgets !== '') stderr.write(`kernel loops are not checked: ${whyNoBudgets}\n`);

describe('inner loops', () => {
  const text = `
0000000000000000 <spilling>:
   0:\tvmovups (%rdi),%zmm0
   6:\tvmovups %zmm0,0x40(%rsp)
   c:\tvpdpbusd 0x40(%rsp),%zmm1,%zmm2
  12:\tmov    0x8(%rsp),%rax
  18:\tjne    0 <spilling>

0000000000000100 <clean>:
 100:\tvmovups 0x40(%rsp),%zmm1
 106:\tvpdpbusd (%rdi),%zmm1,%zmm2
 10c:\tvpdpbusd (%rbp),%zmm1,%zmm2
 112:\tjne    106 <clean+0x6>
 118:\tjne    100 <clean>

0000000000000200 <framed>:
 200:\tmov    %rsp,%rbp
 206:\tvfmadd231ps -0x20(%rbp),%ymm1,%ymm2
 20c:\tja     206 <framed+0x6>
 212:\tret
`;

  it('count spills of vectors, and not what lies outside or is no vector', () => {
    const loops = innerLoops(text);
    expect(loops.get('spilling')).toEqual([{ numInstructions: 5, numProducts: 1, numStackMoves: 2 }]);
    expect(loops.get('clean')).toEqual([{ numInstructions: 3, numProducts: 2, numStackMoves: 0 }]);
    expect(loops.get('framed')).toEqual([{ numInstructions: 2, numProducts: 1, numStackMoves: 1 }]);
  });

  it.skipIf(whyNot !== '' || !has(compiler))('show the spills of a kernel with too many accumulators', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'kernel-code-'));
    try {
      const source = `#include <immintrin.h>
        void too_wide(const float* x, long n, float* out) {
          __m256 sum[24] = {};
          for (long i = 0; i < n; i++)
          #pragma GCC unroll 24
            for (int j = 0; j < 24; j++) sum[j] = _mm256_fmadd_ps(_mm256_loadu_ps(x + 8 * j), _mm256_broadcast_ss(x + i), sum[j]);
          #pragma GCC unroll 24
          for (int j = 0; j < 24; j++) _mm256_storeu_ps(out + 8 * j, sum[j]);
        }`;
      writeFileSync(join(scratch, 'wide.cc'), source);
      const options = ['-O3', '-mavx2', '-mfma', '-c', join(scratch, 'wide.cc'), '-o', join(scratch, 'wide.o')];
      expect(spawnSync(compiler, options).status).toBe(0);
      const [loops] = innerLoops(disassemble(join(scratch, 'wide.o'))).values();
      expect(Math.max(...(loops ?? []).map(({ numStackMoves }) => numStackMoves))).toBeGreaterThan(8);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  it.skipIf(whyNoBudgets !== '').each(['avx512', 'avx512_bf16', 'avx2'] as const)(
    'of %s keep their accumulators in registers',
    (path) => {
      const allowed = budgets.stackMoves[path] as Readonly<Record<string, number>>;
      const found: Record<string, number> = {};
      let numKernels = 0;
      for (const [name, loops] of innerLoops(disassemble(objectOf(path)))) {
        const kernel = /(\w+)<([^>]*)>\(kvasir::StripCall/.exec(name.replaceAll('(kvasir::Codec)', 'codec '));
        if (kernel === null || loops.length === 0) continue;
        numKernels++;
        // The widest loop is the one that runs for every group; the others are its remainders.
        const hot = loops.reduce((a, b) => (b.numProducts > a.numProducts ? b : a));
        const label = `${kernel[1]}<${kernel[2]}>`;
        if (hot.numStackMoves > (allowed[label] ?? 0)) found[label] = hot.numStackMoves;
      }
      expect(numKernels).toBeGreaterThanOrEqual(path === 'avx512_bf16' ? 12 : 24);
      expect(found, 'stack moves beyond test/kernel-budgets.json').toEqual({});
    },
  );
});

describe('instruction counts', () => {
  it.skipIf(!isBudgeted)(
    'of the AVX2 kernels stay within their budgets',
    ({ skip }) => {
      const {
        stdout,
        stderr: report,
        status,
      } = spawnSync('node', [join(root, 'scripts', 'kernel-counts.mjs')], {
        encoding: 'utf8',
      });
      expect(status, report).toBe(0);
      const { skipped, counts } = JSON.parse(stdout) as { skipped?: string; counts: Record<string, number> };
      if (skipped !== undefined) {
        stderr.write(`instructions of kernels are not counted: ${skipped}\n`);
        return skip(skipped);
      }
      expect(Object.keys(counts).sort()).toEqual(Object.keys(budgets.instructionsPerOutput).sort());
      const over = Object.entries(budgets.instructionsPerOutput).filter(
        ([kernel, budget]) => !((counts[kernel] ?? NaN) <= budget * 1.05),
      );
      expect(over.map(([kernel, budget]) => ({ kernel, budget, counted: counts[kernel] }))).toEqual([]);
    },
    120_000,
  );
});
