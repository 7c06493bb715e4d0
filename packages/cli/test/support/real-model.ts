import { LLM, type LoadOptions } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createServer, type KvasirServerOptions } from '@kvasir/server';

/** Path of a real model, set by the global setup of `@kvasir/testing`. */
export function realModelPath(model: 'smollm2' | 'gemma3' | 'minilm'): string {
  const variable = `KVASIR_TEST_${model.toUpperCase()}`;
  const path = process.env[variable];
  if (path === undefined) throw new Error(`${variable} is not set: run through vitest, whose global setup sets it`);
  return path;
}

/** Loads a real model on the CPU backend. */
export function loadRealModel(model: 'smollm2' | 'gemma3', options: Partial<LoadOptions> = {}): Promise<LLM> {
  return LLM.load({ model: realModelPath(model), backend: createCpuBackend(), ...options });
}

/** A loaded model behind HTTP on a free loopback port. */
export interface Served {
  readonly url: string;
  readonly llm: LLM;
  post(path: string, body: unknown): Promise<{ status: number; body: never }>;
  close(): Promise<void>;
}

/** Serves `llm`; closing ends both. */
export async function serveModel(llm: LLM, options: KvasirServerOptions = {}): Promise<Served> {
  const server = createServer(llm, { servedModelNames: ['test'], ...options });
  const { url } = await server.listen({ port: 0 });
  return {
    url,
    llm,
    async post(path, body) {
      const response = await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as never };
    },
    async close() {
      await server.close({ drainTimeoutMs: 0 });
      await llm.close();
    },
  };
}
