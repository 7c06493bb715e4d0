import type { ResolveModelOptions } from '@kvasir/model';
import { type BarStream, ProgressBar } from './progress-bar.js';

type PullCallbacks = Pick<ResolveModelOptions, 'onTerms' | 'onProgress' | 'onAttemptFailed' | 'onWait'>;

/** Shows a pull: terms before the first one, which source is tried, what failed, and a bar. */
export function createPullReporter(label: string, stream: BarStream): { callbacks: PullCallbacks; close(): void } {
  let bar: ProgressBar | undefined;
  let source: string | undefined;
  const close = () => {
    bar?.close();
    bar = undefined;
  };
  const callbacks: PullCallbacks = {
    onTerms: (terms) => {
      stream.write(`${terms.model}: ${terms.summary}\nTerms: ${terms.url}\n`);
    },
    onProgress: (progress) => {
      if (progress.source !== source) {
        close();
        source = progress.source;
        stream.write(`fetching ${label} from ${source}\n`);
      }
      bar ??= new ProgressBar(label, stream);
      bar.update(progress.receivedBytes, progress.totalBytes);
    },
    onAttemptFailed: (attempt) => {
      close();
      stream.write(`${attempt.source} failed: ${attempt.reason}\n`);
    },
    onWait: (owner) => {
      stream.write(`waiting for process ${owner.pid} on ${owner.host}, which is fetching ${label}\n`);
    },
  };
  return { callbacks, close };
}
