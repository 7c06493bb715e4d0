/** A signal that asks a program to end. */
export type ShutdownSignal = 'SIGINT' | 'SIGTERM';

/**
 * Calls `listener` at each SIGINT and SIGTERM instead of ending the process.
 * @returns Ends that; afterwards signals do what they do by default.
 */
export function onShutdownSignal(listener: (signal: ShutdownSignal) => void): () => void {
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}
