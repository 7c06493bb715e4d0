/** Values of ASN.1 in DER (ITU-T X.690): a tag, the length of the contents, the contents. */
function value(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(contents.length)]), contents]);
}

/** Below 128 a byte; else how many bytes follow, and these. */
function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return value(0x30, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return value(0x31, ...parts);
}

/** Big-endian two's complement. */
export function integer(bytes: Uint8Array): Buffer {
  return value(0x02, bytes);
}

/** Of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return value(0x03, Buffer.from([0]), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return value(0x04, bytes);
}

export function utf8(text: string): Buffer {
  return value(0x0c, Buffer.from(text));
}

/** Years from 1950 to 2049. */
export function utcTime(date: Date): Buffer {
  return value(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replaceAll(/[-T:]/g, '')}Z`));
}

/** `[number] EXPLICIT`. */
export function contextual(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return value(0xa0 + number, ...parts);
}

/** `[number] IMPLICIT` of a primitive. */
export function contextualPrimitive(number: number, bytes: Uint8Array): Buffer {
  return value(0x80 + number, bytes);
}

/** Dotted: the first two numbers share a byte, each other one is base 128, highest first. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return value(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

function base128(number: number): readonly number[] {
  const digits = [number & 0x7f];
  for (let left = number >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}
