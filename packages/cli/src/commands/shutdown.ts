/** Resolves with the name of the first SIGINT or SIGTERM from now on. */
export function waitForShutdown(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    const listen = (signal: 'SIGINT' | 'SIGTERM') => {
      process.off('SIGINT', listen);
      process.off('SIGTERM', listen);
      resolve(signal);
    };
    process.on('SIGINT', listen);
    process.on('SIGTERM', listen);
  });
}
