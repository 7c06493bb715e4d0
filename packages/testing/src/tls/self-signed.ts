import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  contextual,
  contextualPrimitive,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  utcTime,
  utf8,
} from './der.js';

/** A certificate and its key, as PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const DAY_MS = 86_400_000;

/**
 * A fresh self-signed certificate for 127.0.0.1 and localhost, and its own authority, valid from yesterday for a year (X.509 version 3, ECDSA on
 * P-256). Tests need no openssl and no repository needs a private key.
 * @param commonName - Of subject and issuer.
 */
export function selfSignedCertificate(commonName = 'localhost'): CertificatePair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(objectId('2.5.4.3'), utf8(commonName))));
  const now = Date.now();
  const toBeSigned = sequence(
    contextual(0, integer(Buffer.from([2]))),
    // A serial number is positive: its highest bit is clear.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(utcTime(new Date(now - DAY_MS)), utcTime(new Date(now + 365 * DAY_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    contextual(3, sequence(subjectAlternativeNames(), isAuthority())),
  );
  const signature = sign('sha256', toBeSigned, { key: privateKey, dsaEncoding: 'der' });
  return {
    cert: toPem('CERTIFICATE', sequence(toBeSigned, ECDSA_WITH_SHA256, bitString(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** RFC 5280 section 4.2.1.6: `[2]` is a name, `[7]` an address. */
function subjectAlternativeNames(): Buffer {
  const names = sequence(
    contextualPrimitive(7, Buffer.from([127, 0, 0, 1])),
    contextualPrimitive(2, Buffer.from('localhost')),
  );
  return sequence(objectId('2.5.29.17'), octetString(names));
}

/** RFC 5280 section 4.2.1.9: `cA` is true. */
function isAuthority(): Buffer {
  return sequence(objectId('2.5.29.19'), octetString(sequence(Buffer.from([0x01, 0x01, 0xff]))));
}

function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
