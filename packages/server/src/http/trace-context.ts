import { randomBytes } from 'node:crypto';

/** Where a request stands in a distributed trace (W3C Trace Context, level 1). */
export interface TraceContext {
  readonly traceId: string;
  /** Span of the caller. */
  readonly parentSpanId: string;
  /** Span of this request, made here. */
  readonly spanId: string;
  /** Two hexadecimal digits, the caller's. */
  readonly flags: string;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads `traceparent`; one that is absent or malformed, or whose ids are zero, is none, as the standard asks for. */
export function readTraceparent(header: string | readonly string[] | undefined): TraceContext | undefined {
  if (typeof header !== 'string') return undefined;
  const match = FORM.exec(header);
  if (match === null) return undefined;
  const [, version = '', traceId = '', parentSpanId = '', flags = '', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined;
  return { traceId, parentSpanId, spanId: randomBytes(8).toString('hex'), flags };
}

/** Of this request's own span, for whoever goes on from it. */
export function toTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags}`;
}
