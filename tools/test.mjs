// `npm test`: installs what is missing, then runs every check. Prints a report of one that fails in full, and of one
// that passes a line. The last line sums up test cases; a check without cases counts as one failure when it fails.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCrossTools } from './native/cross-tools.mjs';
import { checkCompiler, checkNode } from './setup/check-machine.mjs';
import { ensureInstalled } from './setup/install.mjs';
import { clearResults, readResults } from './test-runner/results.mjs';
import { runNx } from './test-runner/run-nx.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const SECTIONS = [
  { title: 'Build', args: ['run-many', '-t', 'build', 'build:native'] },
  { title: 'Type check', args: ['run-many', '-t', 'typecheck'] },
  { title: 'Lint', args: ['run-many', '-t', 'lint'] },
  { title: 'Unit and property tests', args: ['run-many', '-t', 'test', '--parallel=1'], hasCases: true },
  { title: 'Sanitizers', args: ['run-many', '-t', 'test:sanitize', '--parallel=1'] },
  {
    title: 'Kernels of arm64 under an emulator',
    args: ['run', '@kvasir/kernels-cpu:test:arm64'],
    lacks: findCrossTools().missing,
  },
  { title: 'Packed packages and examples', args: ['run', '@kvasir/tools:test:pack'], hasCases: true },
  { title: 'Real clients', args: ['run', '@kvasir/clients:test:clients'], hasCases: true },
  { title: 'API docs', args: ['run', '@kvasir/tools:docs'] },
];

checkNode();
ensureInstalled(root);
checkCompiler();
clearResults(root);

const failures = [];
let numFailedChecks = 0;
for (const { title, args, hasCases = false, lacks = [] } of SECTIONS) {
  console.log(`\n== ${title}`);
  if (lacks.length > 0) {
    console.log(`   SKIPPED: no ${lacks.join(' and no ')}`);
    continue;
  }
  const startedAt = performance.now();
  const isPassed = await runNx(root, args);
  console.log(`   ${isPassed ? 'passed' : 'FAILED'} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  if (isPassed) continue;
  failures.push(title);
  if (!hasCases) numFailedChecks += 1;
  if (title === 'Build') break;
}

const results = readResults(root);
console.log('\n== Summary');
for (const { name, numPassed, numFailed, numSkipped } of results) {
  const counts = `${numPassed} passed, ${numFailed} failed`;
  console.log(`   ${name.padEnd(16)} ${numSkipped > 0 ? `${counts}, ${numSkipped} skipped` : counts}`);
}
const clients = results.find(({ name }) => name === 'clients');
for (const title of clients?.skipped ?? []) console.log(`   SKIPPED: ${title}, for their registry cannot be reached`);
if (failures.length > 0) console.log(`   Failed: ${failures.join('; ')}`);

const sum = (count) => results.reduce((total, each) => total + each[count], 0);
const numFailed = sum('numFailed') + numFailedChecks;
const numSkipped = sum('numSkipped');
// A runner that dies before it can report has no cases to count.
const numReported = Math.max(numFailed, failures.length > 0 ? 1 : 0);
console.log(`\n${sum('numPassed')} passed, ${numReported} failed${numSkipped > 0 ? `, ${numSkipped} skipped` : ''}`);
process.exitCode = numReported > 0 ? 1 : 0;
