import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/** A response, read to its end. */
export interface SecureAnswer {
  readonly status: number | undefined;
  readonly text: string;
  /** How many times data came. */
  readonly numChunks: number;
  /** Whether the connection was one that an earlier request had opened. */
  readonly isReused: boolean;
  /** Common name of the certificate that the server showed. */
  readonly server: unknown;
}

/** Asks over HTTPS; with a `body` as POST. `options` are Node's: `ca`, `cert` and `key` of a client, `agent`, `headers`. */
export function askSecurely(url: string, options: object, body?: object): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const sent: ClientRequest = request(
      url,
      {
        ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' } }),
        // A session that is resumed shows no certificate.
        agent: false,
        ...options,
      },
      (response: IncomingMessage) => {
        const server = (response.socket as TLSSocket).getPeerCertificate().subject?.CN;
        let text = '';
        let numChunks = 0;
        response.on('data', (chunk: Buffer) => {
          numChunks++;
          text += chunk.toString();
        });
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode, text, numChunks, isReused: sent.reusedSocket, server });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Shakes hands and hangs up; the protocol that was agreed on. */
export function shakeHands(port: number, options: ConnectionOptions): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options }, () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
