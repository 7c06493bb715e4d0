import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';

/** A zip file of the given members, deflated unless `store` is set. */
export function makeZip(members: Readonly<Record<string, Buffer>>, { store = false } = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(members)) {
    const packed = store ? content : deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(store ? 0 : 8, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, entries, end]);
}

/**
 * A stand-in for `python3 -m pip download`: an executable that copies `<name>==<version>.whl` of its own folder to `--dest`,
 * writes its arguments to `log`, and fails as pip does for a wheel that is not there.
 * @returns Path for `KVASIR_PYTHON`.
 */
export function makeFakePip(folder: string, wheels: Readonly<Record<string, Buffer>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [wanted, wheel] of Object.entries(wheels)) writeFileSync(join(folder, `${wanted}.whl`), wheel);
  const script = join(folder, 'python3.mjs');
  writeFileSync(
    script,
    `#!${process.execPath}
import { appendFileSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
const args = process.argv.slice(2);
const wanted = args.at(-1);
const wheel = join(${JSON.stringify(folder)}, wanted + '.whl');
appendFileSync(join(${JSON.stringify(folder)}, 'log'), args.join(' ') + '\\n');
await new Promise((resolve) => setTimeout(resolve, Number(process.env.FAKE_PIP_DELAY_MS ?? 0)));
if (!existsSync(wheel)) {
  process.stderr.write('WARNING: retrying\\nERROR: No matching distribution found for ' + wanted + '\\n');
  process.exit(1);
}
copyFileSync(wheel, join(args[args.indexOf('--dest') + 1], wanted.replace('==', '-') + '-py3-none-any.whl'));
`,
  );
  chmodSync(script, 0o755);
  return script;
}
