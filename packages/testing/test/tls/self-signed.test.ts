import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '../../src/index.js';

test('a certificate is its own authority, for this machine, now, and its key is its own', () => {
  const { cert, key } = selfSignedCertificate('a test');
  const parsed = new X509Certificate(cert);
  expect(parsed.verify(parsed.publicKey)).toBe(true);
  expect(parsed.ca).toBe(true);
  expect([parsed.subject, parsed.issuer]).toEqual(['CN=a test', 'CN=a test']);
  expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(parsed.checkHost('localhost')).toBe('localhost');
  expect(parsed.checkHost('example.com')).toBeUndefined();
  expect(Date.parse(parsed.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(Date.now() + 300 * 86_400_000);
  expect(key).toContain('BEGIN PRIVATE KEY');
  expect(selfSignedCertificate().cert).not.toBe(selfSignedCertificate().cert);
});
