import { startKvasir } from './kvasir.js';

/** One server of the default model for all tests: `KVASIR_URL` and `KVASIR_SERVED` name it and its model. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startKvasir();
  process.env['KVASIR_URL'] = server.url;
  process.env['KVASIR_SERVED'] = server.model;
  return async () => {
    const code = await server.stop();
    if (code !== 0) throw new Error(`kvasir serve ended with ${code}, expected 0`);
  };
}
