import { spawnSync } from 'node:child_process';

/** Exits with one line that says what to do when this Node is too old. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isSupported = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  if (!isSupported)
    fail(`Node ${process.versions.node} is too old: Kvasir needs 20.19 or newer, 22.12 or newer, or 24.`);
}

/** Exits with one line that says what to do when an addon cannot be compiled here. */
export function checkCompiler() {
  const compiler = process.env.CXX ?? (process.platform === 'win32' ? 'cl' : 'c++');
  if (!runs(compiler, process.platform === 'win32' ? [] : ['--version'])) {
    fail(`No C++ compiler: "${compiler}" does not run. Install one (Debian: apt install g++) or set CXX.`);
  }
  if (!runs(process.env.PYTHON ?? 'python3', ['--version']) && !runs('python', ['--version'])) {
    fail(
      'No Python 3: node-gyp needs it to configure the build. Install it (Debian: apt install python3) or set PYTHON.',
    );
  }
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}

function runs(command, args) {
  const [name = command, ...rest] = command.split(' ');
  return spawnSync(name, [...rest, ...args], { stdio: 'ignore' }).error === undefined;
}
