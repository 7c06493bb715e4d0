/**
 * The packages that consumers of the published workspaces install, by the lockfile's own resolution.
 * @param packages - `packages` of a lockfile, version 3.
 * @param compiledIn - Names that are in the published binaries though no consumer installs them.
 * @returns Lockfile paths such as `node_modules/a/node_modules/b`, sorted.
 */
export function productionClosure(packages, compiledIn = []) {
  const reached = new Set();
  const visit = (from, name, isOptional) => {
    const path = resolve(packages, from, name);
    if (path === undefined) {
      if (isOptional) return;
      throw new Error(`${name}, needed by ${from}, is not in the lockfile: run npm install`);
    }
    if (reached.has(path)) return;
    reached.add(path);
    visitDependencies(packages[path].link ? packages[path].resolved : path);
  };
  const visitDependencies = (path) => {
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = packages[path];
    for (const name of Object.keys(dependencies)) visit(path, name, name in optionalDependencies);
    for (const name of Object.keys(optionalDependencies)) visit(path, name, true);
    for (const name of Object.keys(peerDependencies)) visit(path, name, peerDependenciesMeta[name]?.optional === true);
  };

  for (const [path, { name }] of Object.entries(packages)) {
    const isPublished = /^packages\/[^/]+$/.test(path) && name !== '@kvasir/testing';
    if (isPublished) visitDependencies(path);
  }
  for (const name of compiledIn) visit('', name, false);
  return [...reached].filter((path) => packages[path].link !== true).sort();
}

/** Node's look-up: the nearest `node_modules` above `from` that holds `name`. */
function resolve(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return undefined;
  }
}
