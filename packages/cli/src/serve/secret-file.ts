import { open } from 'node:fs/promises';
import { UsageError } from '../flags/usage-error.js';

const MAX_BYTES = 1 << 20;
/** The bit of a file's mode that lets everyone read it. */
const OTHERS_READ = 0o004;

/**
 * Reads a file that holds secrets, with a word of warning when everyone on the machine could.
 * @throws {@link UsageError} When it cannot be read or is larger than 1 MiB.
 */
export async function readSecretFile(flag: string, path: string, warn: (message: string) => void): Promise<Buffer> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${flag} ${path}: cannot read it (${error.code}); correct the path or its permissions`);
  });
  try {
    const { mode, size } = await file.stat();
    if (size > MAX_BYTES) throw new UsageError(`${flag} ${path}: expected at most ${MAX_BYTES} bytes, got ${size}`);
    if (process.platform !== 'win32' && (mode & OTHERS_READ) !== 0) {
      warn(`${flag} ${path} can be read by everyone on this machine; chmod 600 keeps it secret`);
    }
    return await file.readFile().catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${flag} ${path}: cannot read it (${error.code}); give a file`);
    });
  } finally {
    await file.close();
  }
}
