import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fair } from '../src/policies/fair.js';
import { priority } from '../src/policies/priority.js';
import { shortestPrefixFirst } from '../src/policies/shortest-prefix-first.js';
import type { ScheduledSequence } from '../src/scheduled-sequence.js';
import { Tenant } from '../src/tenants.js';
import { WaitingQueue } from '../src/waiting-queue.js';
import { makeSequence } from './support/make-sequence.js';

const operation = fc.record({
  kind: fc.constantFrom('push', 'push', 'push', 'pop', 'remove'),
  value: fc.nat({ max: 40 }),
  priority: fc.nat({ max: 3 }),
});
const operations = fc.array(operation, { maxLength: 80 });

it('is a sorted list from which anyone can leave', () => {
  fc.assert(
    fc.property(operations, (list) => {
      const queue = new WaitingQueue(priority, 4, () => 0);
      const model: ScheduledSequence[] = [];
      for (const { kind, value, priority: rank } of list) {
        if (kind === 'push' && !model.some(({ arrival }) => arrival === value)) {
          const added = makeSequence(value, { priority: rank });
          model.push(added);
          model.sort((a, b) => a.priority - b.priority || a.arrival - b.arrival);
          queue.push(added);
        } else if (kind !== 'push' && model.length > 0) {
          const [left] = model.splice(kind === 'pop' ? 0 : value % model.length, 1);
          queue.remove(left!);
        }
        queue.checkIntegrity();
        expect(queue.size).toBe(model.length);
        expect(queue.peek()).toBe(model[0]);
        queue.startScan();
        for (const expected of model) expect(queue.next()).toBe(expected);
        expect(queue.next()).toBe(undefined);
      }
    }),
    fcParameters(100),
  );
});

it('by tenant, the one that was served least comes first, and within it first come, first served', () => {
  fc.assert(
    fc.property(operations, fc.array(fc.nat({ max: 9 }), { minLength: 4, maxLength: 4 }), (list, services) => {
      const tenants = services.map((service, i) => new Tenant(`${i}`, 1, service));
      const queue = new WaitingQueue(fair, 4, () => 0);
      const model: ScheduledSequence[] = [];
      for (const { value, priority: tenant } of list) {
        if (model.some(({ arrival }) => arrival === value)) continue;
        const added = makeSequence(value, {}, tenants[tenant]);
        model.push(added);
        queue.push(added);
      }
      model.sort((a, b) => a.tenant.service - b.tenant.service || a.arrival - b.arrival);
      queue.startScan();
      // Equal service: the earlier arrival of either tenant, which is what the sort says too.
      for (const expected of model) expect(queue.next()).toBe(expected);
      queue.checkIntegrity();
    }),
    fcParameters(100),
  );
});

it('shortest first, the shortest of the first few comes up, and nobody is passed more than so many times', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 60 }), fc.nat({ max: 5 }), (lengths, max) => {
      const queue = new WaitingQueue(shortestPrefixFirst, max, ({ arrival }) => lengths[arrival]!);
      const waiting = lengths.map((_, i) => makeSequence(i));
      for (const sequence of waiting) queue.push(sequence);
      while (waiting.length > 0) {
        queue.startScan();
        const next = queue.next()!;
        const window = waiting.slice(0, 16);
        const exhausted = window.findIndex(({ numBypassed }) => numBypassed >= max);
        const allowed = exhausted < 0 ? window : window.slice(0, exhausted + 1);
        expect(allowed).toContain(next);
        expect(lengths[next.arrival]).toBe(Math.min(...allowed.map(({ arrival }) => lengths[arrival]!)));
        queue.remove(next, true);
        waiting.splice(waiting.indexOf(next), 1);
        queue.checkIntegrity();
        for (const { numBypassed } of waiting) expect(numBypassed).toBeLessThanOrEqual(max);
      }
    }),
    fcParameters(100),
  );
});
