import { createSecureContext } from 'node:tls';
import { InvalidArgumentError } from '@kvasir/interfaces';

/** Certificate and key of an HTTPS server, as PEM. */
export interface TlsOptions {
  /** Chain, the server's own certificate first. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Clients need a certificate of one of these authorities. Default: clients need none. */
  readonly ca?: string | Buffer | undefined;
}

/** What node takes. TLS 1.2 and above. */
export function toSecureContext({ cert, key, ca }: TlsOptions) {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2' as const,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  };
}

/** @throws `InvalidArgumentError` When certificate and key do not fit together or are not PEM. */
export function checkTls(tls: TlsOptions): void {
  try {
    createSecureContext(toSecureContext(tls));
  } catch (cause) {
    throw new InvalidArgumentError(
      'tls',
      `certificate and key cannot be used (${(cause as Error).message}), expected PEM files that belong together`,
    );
  }
}
