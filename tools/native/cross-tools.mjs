import { spawnSync } from 'node:child_process';

const starts = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/**
 * The compiler and the emulator of arm64 on this machine: CXX_ARM64 or aarch64-linux-gnu-g++, QEMU_ARM64 or qemu-aarch64-static or qemu-aarch64.
 * `missing` names what does not start, with Debian's package of it.
 */
export function findCrossTools(env = process.env) {
  const compiler = env['CXX_ARM64'] ?? 'aarch64-linux-gnu-g++';
  const emulators = env['QEMU_ARM64'] === undefined ? ['qemu-aarch64-static', 'qemu-aarch64'] : [env['QEMU_ARM64']];
  const emulator = emulators.find(starts);
  const missing = [];
  if (!starts(compiler)) missing.push(`${compiler} (Debian: g++-aarch64-linux-gnu)`);
  if (emulator === undefined) missing.push(`${emulators.join(' or ')} (Debian: qemu-user-static)`);
  return { compiler, emulator, missing };
}
