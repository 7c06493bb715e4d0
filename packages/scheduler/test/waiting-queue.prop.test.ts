import type { SequenceId } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fcfs } from '../src/policies/fcfs.js';
import { ScheduledSequence } from '../src/scheduled-sequence.js';
import { WaitingQueue } from '../src/waiting-queue.js';

const sequence = (arrival: number) =>
  new ScheduledSequence(
    {
      id: (arrival + 1) as SequenceId,
      promptTokenIds: Int32Array.of(1),
      maxLength: 2,
      promptLogprobs: false,
      needsSync: false,
    },
    arrival,
  );

it('is a sorted list from which anyone can leave', () => {
  const operation = fc.record({ kind: fc.constantFrom('push', 'push', 'pop', 'remove'), value: fc.nat({ max: 30 }) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new WaitingQueue(fcfs);
      const model: ScheduledSequence[] = [];
      for (const { kind, value } of operations) {
        if (kind === 'push' && !model.some(({ arrival }) => arrival === value)) {
          const added = sequence(value);
          model.push(added);
          model.sort((a, b) => a.arrival - b.arrival);
          queue.push(added);
        } else if (kind !== 'push' && model.length > 0) {
          const [left] = model.splice(kind === 'pop' ? 0 : value % model.length, 1);
          queue.remove(left!);
        }
        queue.checkIntegrity();
        expect(queue.size).toBe(model.length);
        expect(queue.peek()).toBe(model[0]);
      }
    }),
    fcParameters(200),
  );
});
