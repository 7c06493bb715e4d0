import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorBody, toWireError } from '../error-mapping.js';
import { randomId } from './request-id.js';

/** Answers what never became a request (bad HTTP, headers too large, too slow), in OpenAI's form, and closes the socket. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = toWireError(error, randomId());
  const status = known.isInternal ? 400 : known.status;
  const body: ErrorBody = known.isInternal
    ? {
        error: {
          message: 'this is not a well-formed HTTP/1.1 request; check the request line and the headers',
          type: 'invalid_request_error',
          param: null,
          code: 'bad_http',
        },
      }
    : known.body;
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
