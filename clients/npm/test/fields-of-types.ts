import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const resources = join(dirname(fileURLToPath(import.meta.resolve('openai-reference'))), 'resources');

/** Names of the members of an interface in a type file of the newest `openai`, without those that it inherits. */
export function fieldsOf(file: string, interfaceName: string): readonly string[] {
  const path = join(resources, file);
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  const found = source.statements.filter(ts.isInterfaceDeclaration).find(({ name }) => name.text === interfaceName);
  if (found === undefined) throw new Error(`${file} has no interface ${interfaceName}`);
  return found.members.map((member) => (member.name as ts.Identifier).text);
}
