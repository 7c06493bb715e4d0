import { createHash } from 'node:crypto';
import type { JsonSchema, OpenApiDocument, OperationObject } from './document.js';

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;padding:0 1rem}
code{font-family:ui-monospace,monospace;font-size:.9em}h1 small{font-weight:400;opacity:.7}
details{border:1px solid #8886;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}
.method{display:inline-block;min-width:3.2rem;font-weight:700}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-top:1px solid #8884}`;

/** `content-security-policy` of the page: nothing but its own style, which is named by its hash. */
export const DOCS_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The document as one page of HTML, without scripts and without anything from elsewhere. */
export function renderDocsPage(document: OpenApiDocument): string {
  const { title, version, description } = document.info;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(operations.map(({ operation }) => operation.tags[0]!))];
  const sections = tags.map((tag) => {
    const ofTag = operations.filter(({ operation }) => operation.tags[0] === tag);
    return `<h2>${escapeHtml(tag)}</h2>${ofTag.map((each) => renderOperation(each, document)).join('')}`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)} API</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)} <small>${escapeHtml(version)}</small></h1><p>${escapeHtml(description)} The same as JSON: <a href="openapi.json">openapi.json</a>.</p>
${sections.join('\n')}
</body></html>
`;
}

interface OperationEntry {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

function renderOperation({ path, method, operation }: OperationEntry, { components }: OpenApiDocument): string {
  const key = Object.keys(operation.security[0] ?? {})[0];
  const content = operation.requestBody?.content['application/json'] as { schema: { $ref: string } } | undefined;
  const name = content?.schema.$ref.split('/').at(-1);
  const schema = name === undefined ? undefined : components.schemas[name];
  const statuses = Object.keys(operation.responses).map((status) => `<code>${escapeHtml(status)}</code>`);
  return `<details><summary><span class="method">${method.toUpperCase()}</span> <code>${escapeHtml(path)}</code> ${escapeHtml(operation.summary)}</summary>
<p>${key === undefined ? 'No key.' : `Wants the ${key === 'adminKey' ? 'admin key' : 'API key'} as <code>Authorization: Bearer KEY</code>.`} Answers ${statuses.join(', ')}.</p>
${schema === undefined ? '' : renderFields(schema)}</details>
`;
}

function renderFields(schema: JsonSchema): string {
  const required = new Set(schema['required'] as readonly string[] | undefined);
  const rows = Object.entries(schema['properties'] as Readonly<Record<string, JsonSchema>>).map(
    ([name, field]) =>
      `<tr><td><code>${escapeHtml(name)}</code>${required.has(name) ? ' *' : ''}</td><td>${escapeHtml(describeType(field))}</td><td>${escapeHtml(describeField(field))}</td></tr>`,
  );
  return `<table><tr><th>field</th><th>type</th><th></th></tr>${rows.join('')}</table>`;
}

/** The form of an optional field that is not `null`. */
function formsOf(schema: JsonSchema): readonly JsonSchema[] {
  const forms = (schema['anyOf'] as readonly JsonSchema[] | undefined)?.flatMap(formsOf) ?? [schema];
  return forms.filter((form) => forms.length === 1 || form['type'] !== 'null');
}

function describeType(schema: JsonSchema): string {
  const types = formsOf(schema).map((form) => {
    if (form['const'] !== undefined) return JSON.stringify(form['const']);
    const words = form['enum'] as readonly unknown[] | undefined;
    if (words !== undefined) return words.map((word) => JSON.stringify(word)).join(' | ');
    if (form['type'] !== 'array') return String(form['type'] ?? 'anything') + describeRange(form);
    const items = describeType(form['items'] as JsonSchema);
    return items.includes(' | ') ? `(${items})[]` : `${items}[]`;
  });
  return [...new Set(types)].join(' | ');
}

function describeRange({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const from = minimum === undefined ? (exclusiveMinimum === undefined ? '' : `>${exclusiveMinimum}`) : `${minimum}`;
  return from === '' && maximum === undefined ? '' : ` ${from}..${maximum ?? ''}`;
}

function describeField(schema: JsonSchema): string {
  const own = schema['description'] as string | undefined;
  return own ?? (formsOf(schema)[0]?.['description'] as string | undefined) ?? '';
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
