// A session on the bare addon, in a worker thread or a child process: runs the batches it is given and reports the first word of
// each result. `ending` says what it does while the last one is still out: wait for it, or leave at once, or (`close`) leave while
// its session is being freed.
import { createRequire } from 'node:module';
import { exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const addon = createRequire(import.meta.url)('node-gyp-build')(fileURLToPath(new URL('../..', import.meta.url)));

function run({ description, batches, ending }, report) {
  const firstWords = [];
  let next = 0;
  const submit = () => {
    const words = batches[next++];
    native.submit(words, words.length);
    if (next < batches.length || ending === 'wait') return;
    report(firstWords);
    if (ending === 'close') native.close();
    if (ending === 'exit' || ending === 'close') exit(0);
    if (ending === 'throw') throw new Error('left on purpose');
  };
  const native = new addon.NativeSession(description.numbers, description.texts, {
    onProgress() {},
    onOpened: submit,
    onStep(code, message, ring) {
      if (code !== undefined) throw new Error(message);
      const result = new Int32Array(4096);
      native.takeResult(ring, result, new Float64Array(5));
      firstWords.push(result[0]);
      if (next < batches.length) submit();
      else native.close();
    },
    onClosed: () => report(firstWords),
  });
  native.open();
}

if (parentPort !== null) run(workerData, (words) => parentPort.postMessage(words));
else process.once('message', (data) => run(data, (words) => process.send(words)));
