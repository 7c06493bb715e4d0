import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const RESULTS = join('.vitest', 'results.json');

/** Forgets earlier runs; nx brings back the results of the tests whose inputs are unchanged. */
export function clearResults(root) {
  for (const { directory } of testedDirectories(root)) rmSync(join(directory, RESULTS), { force: true });
}

/** Counts of test cases by package. A test file that could not be loaded counts as one failed case. */
export function readResults(root) {
  return testedDirectories(root)
    .filter(({ directory }) => existsSync(join(directory, RESULTS)))
    .map(({ name, directory }) => countCases(name, JSON.parse(readFileSync(join(directory, RESULTS), 'utf8'))));
}

export function countCases(name, report) {
  const numUnloadable = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((each) => each.status !== 'failed'),
  ).length;
  return {
    name,
    numPassed: report.numPassedTests,
    numFailed: report.numFailedTests + numUnloadable,
    numSkipped: report.numPendingTests + report.numTodoTests,
    skipped: report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter(({ status }) => status === 'skipped' || status === 'pending').map(({ title }) => title),
    ),
  };
}

function testedDirectories(root) {
  const packages = readdirSync(join(root, 'packages')).map((name) => ({
    name,
    directory: join(root, 'packages', name),
  }));
  return [
    ...packages,
    { name: 'tools', directory: join(root, 'tools') },
    { name: 'clients', directory: join(root, 'clients') },
    { name: 'packed packages', directory: join(root, 'tools', 'pack-test') },
  ];
}
