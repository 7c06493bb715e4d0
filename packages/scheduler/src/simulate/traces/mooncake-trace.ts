import { InvalidArgumentError } from '@kvasir/interfaces';
import { Random } from '../random.js';
import { createTrace, TRACE_VOCAB_SIZE, type Trace, type TraceRequest } from './trace.js';

/** Tokens that one hash id stands for. */
const TOKENS_PER_HASH = 512;

/** How {@link readMooncakeTrace} reads. */
export interface MooncakeTraceOptions {
  /** Requests taken from the start of the file. Default: all. */
  readonly numRequests?: number;
  /** Divides every length, so that a small model can run the pattern of a large one. Default 1. */
  readonly lengthDivisor?: number;
  /** Multiplies every arrival time. Default 1. */
  readonly timeFactor?: number;
  readonly vocabSize?: number;
}

/**
 * Reads a trace of lines `{"timestamp": ms, "input_length": n, "output_length": n, "hash_ids": [ids]}`, the format of the
 * traces published with Mooncake (FAST '25): a hash id stands for 512 prompt tokens, and equal ids for equal tokens.
 * @throws `InvalidArgumentError` With the line that cannot be read.
 */
export function readMooncakeTrace(text: string, options: MooncakeTraceOptions = {}): Trace {
  const { numRequests = Number.POSITIVE_INFINITY, vocabSize = TRACE_VOCAB_SIZE } = options;
  const divisor = positive('lengthDivisor', options.lengthDivisor ?? 1);
  const timeFactor = positive('timeFactor', options.timeFactor ?? 1);
  const requests: TraceRequest[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '' || requests.length >= numRequests) return;
    const { timestamp, inputLength, outputLength, hashIds } = readLine(line, index + 1);
    const promptLength = Math.max(1, Math.round(inputLength / divisor));
    requests.push({
      arrivalMs: timestamp * timeFactor,
      promptTokenIds: promptOf(hashIds, promptLength, TOKENS_PER_HASH / divisor, index, vocabSize),
      outputTokenIds: new Random(hash(index, 1)).tokenIds(Math.max(1, Math.round(outputLength / divisor)), vocabSize),
    });
  });
  return createTrace(requests);
}

interface MooncakeLine {
  readonly timestamp: number;
  readonly inputLength: number;
  readonly outputLength: number;
  readonly hashIds: readonly number[];
}

function readLine(line: string, number: number): MooncakeLine {
  const fail = (what: string) =>
    new InvalidArgumentError(
      'trace',
      `line ${number} of the trace ${what}: expected {"timestamp": ms, "input_length": n, "output_length": n, "hash_ids": [integers]}`,
    );
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(line) as Record<string, unknown> | null;
  } catch {
    throw fail('is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw fail('is not an object');
  const { timestamp, input_length: inputLength, output_length: outputLength, hash_ids: hashIds = [] } = value;
  for (const [name, field] of Object.entries({ timestamp, input_length: inputLength, output_length: outputLength })) {
    if (typeof field !== 'number' || !Number.isFinite(field) || field < 0) {
      throw fail(`has ${JSON.stringify(field)} as ${name}`);
    }
  }
  if (!Array.isArray(hashIds) || !hashIds.every((id) => Number.isSafeInteger(id)))
    throw fail('has no list of hash_ids');
  return { timestamp, inputLength, outputLength, hashIds } as MooncakeLine;
}

/** Tokens of each hash id; what no id covers is this request's own. */
function promptOf(
  hashIds: readonly number[],
  length: number,
  tokensPerHash: number,
  request: number,
  vocabSize: number,
): Int32Array {
  const tokens = new Int32Array(length);
  for (let part = 0; Math.round(part * tokensPerHash) < length; part++) {
    const start = Math.round(part * tokensPerHash);
    const end = Math.min(length, Math.round((part + 1) * tokensPerHash));
    const id = hashIds[part];
    const random = new Random(id === undefined ? hash(request, 2) : hash(id, 3));
    tokens.set(random.tokenIds(end - start, vocabSize), start);
  }
  return tokens;
}

function hash(id: number, purpose: number): number {
  return Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(purpose, 0x85ebca6b);
}

function positive(parameter: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(parameter, `${parameter} is ${value}: expected a number above 0`);
}
