import { expect, it } from 'vitest';
import { countCases } from '../test-runner/results.mjs';

it('counts a test file that could not be loaded as a failure', () => {
  const report = {
    numPassedTests: 3,
    numFailedTests: 1,
    numPendingTests: 2,
    numTodoTests: 1,
    testResults: [
      { status: 'passed', assertionResults: [{ status: 'passed' }, { status: 'skipped', title: 'slow' }] },
      { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] },
      { status: 'failed', assertionResults: [] },
    ],
  };
  expect(countCases('scheduler', report)).toEqual({
    name: 'scheduler',
    numPassed: 3,
    numFailed: 2,
    numSkipped: 3,
    skipped: ['slow'],
  });
});
