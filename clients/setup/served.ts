/** The server of the global setup. */
export function served() {
  const { KVASIR_URL: url, KVASIR_SERVED: model, KVASIR_EMBEDDING: embeddingModel } = process.env;
  if (url === undefined || model === undefined || embeddingModel === undefined) {
    throw new Error('no server: run these tests by npm run test:clients');
  }
  return { url, baseURL: `${url}/v1`, model, embeddingModel };
}

/** Current value of a metric of the server at `url`, summed over its labels. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  if (lines.length === 0) throw new Error(`${url} has no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
