import { EMBEDDING_MODEL, startKvasir } from './kvasir.js';

/** One server of the default model and an encoder for all tests: `KVASIR_URL`, `KVASIR_SERVED` and `KVASIR_EMBEDDING` name it and them. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startKvasir(['--embedding-model', EMBEDDING_MODEL]);
  process.env['KVASIR_URL'] = server.url;
  process.env['KVASIR_SERVED'] = server.model;
  process.env['KVASIR_EMBEDDING'] = EMBEDDING_MODEL;
  return async () => {
    const code = await server.stop();
    if (code !== 0) throw new Error(`kvasir serve ended with ${code}, expected 0`);
  };
}
