import ts from 'typescript';

export interface ImportStatement {
  readonly specifier: string;
  /** `type` is erased before run time, `dynamic` is an `import()` expression. */
  readonly kind: 'static' | 'dynamic' | 'type';
}

/** Every module that a TypeScript source names by a literal, in order of appearance. */
export function parseImports(fileName: string, text: string): ImportStatement[] {
  const found: ImportStatement[] = [];
  const visit = (node: ts.Node): void => {
    const statement = importOf(node);
    if (statement !== undefined) found.push(statement);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, false));
  return found;
}

function importOf(node: ts.Node): ImportStatement | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const isType = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { specifier: node.moduleSpecifier.text, kind: isType ? 'type' : 'static' };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, kind: node.isTypeOnly ? 'type' : 'static' };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, kind: 'type' };
  }
  if (!ts.isCallExpression(node)) return undefined;
  const [argument] = node.arguments;
  if (argument === undefined || !ts.isStringLiteralLike(argument)) return undefined;
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) return { specifier: argument.text, kind: 'dynamic' };
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
  return isRequire ? { specifier: argument.text, kind: 'static' } : undefined;
}
