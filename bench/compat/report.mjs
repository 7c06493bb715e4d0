/** The report of a comparison as Markdown: each kind of difference once, with where it was seen. */
export function toMarkdown(results, versions) {
  const kinds = new Map();
  for (const { differences } of results) {
    for (const { request, path, kvasir, vllm, why } of differences) {
      const key = JSON.stringify([path, kvasir, vllm, why]);
      const kind = kinds.get(key) ?? { path, kvasir, vllm, why, requests: [] };
      kind.requests.push(request);
      kinds.set(key, kind);
    }
  }
  const byReason = groupByReason(kinds.values());
  const same = results.filter(({ differences }) => differences.length === 0);
  const numFields = results.reduce((sum, each) => sum + each.numFields, 0);
  return [
    '# Answers of Kvasir and of vLLM, field by field',
    '',
    `Kvasir ${versions.kvasir}, vLLM ${versions.vllm}, the same model; written by \`node bench/compat/compare.mjs KVASIR_URL VLLM_URL --write\`.`,
    `${results.length} requests with ${numFields} fields in all (status, media type, order of chunks, and each field with its types, absent or null told apart).`,
    `${same.length} requests are answered alike in every field: ${same.map(({ name }) => name).join('; ')}.`,
    '',
    ...[...byReason].flatMap(([why, group]) => [
      `## ${why ?? 'Not explained'}`,
      '',
      '| field | Kvasir | vLLM | seen in |',
      '|---|---|---|---|',
      ...group.map(
        ({ path, kvasir, vllm, requests }) =>
          `| \`${path}\` | ${cell(kvasir)} | ${cell(vllm)} | ${requests.length > 4 ? `${requests.length} requests` : requests.join('; ')} |`,
      ),
      '',
    ]),
  ].join('\n');
}

function cell(types) {
  return types === undefined ? 'absent' : types.replaceAll('|', ' or ');
}

function groupByReason(kinds) {
  const groups = new Map();
  for (const kind of kinds) groups.set(kind.why, [...(groups.get(kind.why) ?? []), kind]);
  return groups;
}
