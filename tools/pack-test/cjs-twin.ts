import ts from 'typescript';

/**
 * The same program as CommonJS: imports become `require`, and the rest, which may await at the top level, one async
 * function. Nothing else is touched, so what runs is the example.
 * @throws If the module exports something or uses a form of import that has no twin.
 */
export function toCommonJs(fileName: string, text: string): string {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const requires: string[] = [];
  const body: string[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) {
      requires.push(requireOf(statement));
    } else if (ts.isExportDeclaration(statement) || ts.isExportAssignment(statement) || isExported(statement)) {
      throw new Error(`${fileName}: an example exports nothing, got: ${statement.getText()}`);
    } else {
      body.push(statement.getFullText());
    }
  }
  return [
    `'use strict';`,
    ...requires,
    `(async () => {${body.join('').replaceAll('import.meta.url', `require('node:url').pathToFileURL(__filename).href`)}`,
    `})().catch((error) => {\n  console.error(error);\n  process.exitCode = 1;\n});`,
    '',
  ].join('\n');
}

function requireOf(statement: ts.ImportDeclaration): string {
  const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
  const call = `require('${specifier}')`;
  const clause = statement.importClause;
  if (clause === undefined) return `${call};`;

  const lines: string[] = [];
  // A built-in module is its own default export; a package built for both has `default` as a property.
  if (clause.name !== undefined) {
    lines.push(`const ${clause.name.text} = ${call}${specifier.startsWith('node:') ? '' : '.default'};`);
  }
  const bindings = clause.namedBindings;
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) lines.push(`const ${bindings.name.text} = ${call};`);
  if (bindings !== undefined && ts.isNamedImports(bindings)) {
    const names = bindings.elements.map(({ name, propertyName }) =>
      propertyName === undefined ? name.text : `${propertyName.text}: ${name.text}`,
    );
    lines.push(`const { ${names.join(', ')} } = ${call};`);
  }
  return lines.join('\n');
}

function isExported(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some((each) => each.kind === ts.SyntaxKind.ExportKeyword);
}
