// Sends the same requests to Kvasir and to vLLM, both running with the same model, and compares what comes back field by field.
//   node bench/compat/compare.mjs KVASIR_URL VLLM_URL [--write]
// Exits with 1 when a difference has no explanation in differences.mjs. --write renews report.md.
import { writeFile } from 'node:fs/promises';
import { explain, unusedExplanations } from './differences.mjs';
import { toMarkdown } from './report.mjs';
import { REQUESTS } from './requests.mjs';
import { shapeOf, streamShapes } from './shape.mjs';

const [kvasirUrl, vllmUrl] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (vllmUrl === undefined) throw new Error('usage: node bench/compat/compare.mjs KVASIR_URL VLLM_URL [--write]');

/** Name of the first model that is served at `url`. */
async function firstModel(url) {
  return (await (await fetch(`${url}/v1/models`)).json()).data[0].id;
}

/** Status, media type and shape of the answer to one request. */
async function ask(url, model, { path, body, text }) {
  const payload = text ?? (body === undefined ? undefined : JSON.stringify({ model, ...body }));
  const init = payload === undefined ? {} : { method: 'POST', body: payload };
  const response = await fetch(url + path, { ...init, headers: { 'content-type': 'application/json' } });
  const answer = await response.text();
  const mediaType = response.headers.get('content-type')?.split(';')[0] ?? 'none';
  const facts = [
    ['HTTP status', String(response.status)],
    ['media type', mediaType],
  ];
  if (mediaType === 'text/event-stream') return new Map([...facts, ...streamShapes(answer)]);
  if (mediaType === 'application/json') return new Map([...facts, ...shapeOf(JSON.parse(answer))]);
  return new Map(facts);
}

const servers = [
  { url: kvasirUrl, model: await firstModel(kvasirUrl) },
  { url: vllmUrl, model: await firstModel(vllmUrl) },
];
const results = [];
for (const request of REQUESTS) {
  const [kvasir, vllm] = await Promise.all(servers.map(({ url, model }) => ask(url, model, request)));
  const paths = [...new Set([...kvasir.keys(), ...vllm.keys()])];
  const differences = paths
    .filter((path) => kvasir.get(path) !== vllm.get(path))
    .map((path) => {
      const difference = { request: request.name, path, kvasir: kvasir.get(path), vllm: vllm.get(path) };
      return { ...difference, why: explain(difference) };
    });
  results.push({ name: request.name, numFields: paths.length, differences });
}

const versions = await Promise.all(
  servers.map(async ({ url }) => (await (await fetch(`${url}/version`)).json()).version),
);
const unexplained = results.flatMap(({ differences }) => differences.filter(({ why }) => why === undefined));
for (const { request, path, kvasir, vllm } of unexplained) {
  console.log(`${request}: ${path}: Kvasir ${kvasir ?? 'absent'}, vLLM ${vllm ?? 'absent'}`);
}
for (const name of unusedExplanations()) console.log(`no difference needs the explanation of ${name} any more`);
if (process.argv.includes('--write')) {
  await writeFile(
    new URL('report.md', import.meta.url),
    toMarkdown(results, { kvasir: versions[0], vllm: versions[1] }),
  );
}
const numSame = results.filter(({ differences }) => differences.length === 0).length;
console.log(
  `${results.length} requests, ${numSame} the same in every field, ${unexplained.length} differences without an explanation`,
);
process.exitCode = unexplained.length === 0 ? 0 : 1;
