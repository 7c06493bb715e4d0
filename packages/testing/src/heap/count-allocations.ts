import { Session } from 'node:inspector';

/** Mean distance of samples in bytes: over the megabytes that a loop of a million turns would allocate, hundreds of samples. */
const SAMPLING_INTERVAL = 1024;

interface ProfileNode {
  readonly selfSize: number;
  readonly callFrame: { readonly functionName: string };
  readonly children: readonly ProfileNode[];
}

/** Bytes that `work` puts on the JavaScript heap, what is collected meanwhile included: by function, estimated from samples. */
export function countAllocations(work: () => void): ReadonlyMap<string, number> {
  const session = new Session();
  session.connect();
  // With flags for short-lived objects: they are the ones in question. Older type declarations do not know them.
  const options = {
    samplingInterval: SAMPLING_INTERVAL,
    includeObjectsCollectedByMinorGC: true,
    includeObjectsCollectedByMajorGC: true,
  };
  session.post('HeapProfiler.startSampling', options);
  work();
  const sizes = new Map<string, number>();
  // The answer comes before `post` returns.
  session.post('HeapProfiler.stopSampling', (error: Error | null, answer: unknown) => {
    if (error !== null) throw error;
    collect((answer as { profile: { head: ProfileNode } }).profile.head, sizes);
  });
  session.disconnect();
  return sizes;
}

function collect(node: ProfileNode, sizes: Map<string, number>): void {
  const { functionName } = node.callFrame;
  if (node.selfSize > 0) sizes.set(functionName, (sizes.get(functionName) ?? 0) + node.selfSize);
  for (const child of node.children) collect(child, sizes);
}
