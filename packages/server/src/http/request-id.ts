import { randomUUID } from 'node:crypto';

const USABLE = /^[\x21-\x7e]{1,128}$/;

/** Id of a request: the client's `X-Request-Id` if it is 1 to 128 visible ASCII characters, else a fresh one. */
export function requestIdFrom(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && USABLE.test(header) ? header : randomId();
}

/** 32 random hexadecimal digits. */
export function randomId(): string {
  return randomUUID().replaceAll('-', '');
}
