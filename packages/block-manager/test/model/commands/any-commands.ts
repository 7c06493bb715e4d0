import fc from 'fast-check';
import { EndImport, ExportOrRelease, Import, Pin, Reset, Unpin } from './cache-commands.js';
import {
  Branch,
  Close,
  Commit,
  Draft,
  Fork,
  Misuse,
  Open,
  Reopen,
  Request,
  Sent,
  Step,
  Truncate,
  Write,
} from './sequence-commands.js';
import { Abandon, FailingWrite, LoseTransfers, Settle } from './tier-commands.js';

// Mostly zeros, so that prefixes meet.
const token = fc.integer({ min: 0, max: 4 }).map((dice): number => (dice === 4 ? 1 : 0));
const tokens = (maxLength: number) => fc.array(token, { minLength: 1, maxLength });
const pick = fc.nat({ max: 3 });
const salt = fc.nat({ max: 5 }).map((dice) => (dice === 0 ? 'tenant' : ''));
const pinName = fc.constantFrom('a', 'b');

const opens = fc
  .tuple(tokens(12), salt, fc.nat({ max: 7 }))
  .map(([next, key, skip]) => new Open(next, key, skip === 0));
const writes = (maxLength: number) => fc.tuple(pick, tokens(maxLength)).map(([at, next]) => new Write(at, next));
const steps = (maxLength: number) => fc.tuple(pick, tokens(maxLength)).map(([at, next]) => new Step(at, next));
const closes = pick.map((at) => new Close(at));
const forks = (maxBack: number) => fc.tuple(pick, fc.nat({ max: maxBack })).map(([at, back]) => new Fork(at, back));

const requests = fc.tuple(tokens(12), salt).map(([next, key]) => new Request(next, key));
/** Few prompts that come again and again. */
const prompt = fc
  .tuple(fc.constantFrom('000000000000', '011111111111', '101010101010'), fc.integer({ min: 3, max: 12 }))
  .map(([text, length]) => [...text.slice(0, length)].map(Number));
const repeats = prompt.map((next) => new Request(next, ''));
const reopens = prompt.map((next) => new Open(next, '', false));
const branches = fc.tuple(pick, fc.nat({ max: 4 }), tokens(3)).map(([at, back, next]) => new Branch(at, back, next));
const failures = [
  fc.tuple(pick, tokens(6)).map(([at, next]) => new FailingWrite(at, next)),
  fc.constant(new LoseTransfers()),
  fc.constant(new Abandon()),
  fc.constant(new Abandon()),
];

/** What fills a pool, spills to the host tier and comes back, with steps that fail on the way. */
export const tierCommands = fc.commands(
  [
    repeats,
    repeats,
    repeats,
    repeats,
    reopens,
    reopens,
    reopens,
    steps(3),
    steps(3),
    closes,
    closes,
    closes,
    closes,
    branches,
    branches,
    pick.map((at) => new Reopen(at)),
    fc.constant(new Settle()),
    ...failures,
  ],
  { maxCommands: 60, size: 'max' },
);

/** Every command; the ones that make blocks move are there more often. */
export const anyCommands = fc.commands(
  [
    opens,
    opens,
    opens,
    steps(8),
    steps(8),
    steps(8),
    steps(2),
    writes(6),
    writes(2),
    fc.tuple(pick, fc.integer({ min: 1, max: 9 })).map(([at, part]) => new Commit(at, part)),
    fc.tuple(pick, fc.nat({ max: 5 })).map(([at, back]) => new Truncate(at, back)),
    fc.tuple(pick, tokens(5), fc.nat({ max: 4 })).map(([at, next, rejected]) => new Draft(at, next, rejected)),
    forks(3),
    forks(8),
    branches,
    branches,
    closes,
    closes,
    closes,
    pick.map((at) => new Reopen(at)),
    pick.map((at) => new Reopen(at)),
    pick.map((at) => new Sent(at)),
    pick.map((at) => new Misuse(at)),
    fc.constant(new Reset()),
    fc.tuple(pinName, tokens(10), salt).map(([name, next, key]) => new Pin(name, next, key)),
    pinName.map((name) => new Unpin(name)),
    pick.map((at) => new ExportOrRelease(at)),
    pick.map((at) => new ExportOrRelease(at)),
    fc.tuple(tokens(10), salt).map(([next, key]) => new Import(next, key)),
    fc.boolean().map((isGood) => new EndImport(isGood)),
    fc.constant(new Settle()),
    requests,
    repeats,
    ...failures,
  ],
  { maxCommands: 70, size: 'max' },
);
