import { DeadlineExceededError, QueueFullError } from '@kvasir/engine';
import { expect, test } from 'vitest';
import { toWireError } from '../src/error-mapping.js';

test('a full queue says when to come back, in whole seconds, by the rate at which it drains', () => {
  const { status, headers, body } = toWireError(new QueueFullError(64, 64, 2300), 'r');
  expect([status, body.error.code, headers['retry-after']]).toEqual([429, 'queue_full', '3']);
});

test('a deadline that passed is a 504 with the message of the engine', () => {
  const facts = { requestId: 'r', timeoutMs: 500, elapsedMs: 501, completionTokens: 3 };
  const { status, headers, body } = toWireError(new DeadlineExceededError(facts), 'r');
  expect([status, body.error.code]).toEqual([504, 'deadline_exceeded']);
  expect(body.error.message).toContain('timeoutMs is 500');
  expect(headers).toEqual({});
});
