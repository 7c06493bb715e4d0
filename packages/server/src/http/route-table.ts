/** Which methods a path has, so that a wrong method is told apart from a wrong path. */
export class RouteTable {
  readonly #methods = new Map<string, Set<string>>();

  /** @param url - A fastify pattern: exact, or ending in `*`. */
  add(url: string, method: string | readonly string[]): void {
    const methods = this.#methods.get(url) ?? new Set();
    for (const each of typeof method === 'string' ? [method] : method) methods.add(each);
    this.#methods.set(url, methods);
  }

  /** Methods of every pattern that matches `path`, empty when none does. */
  methodsOf(path: string): readonly string[] {
    const found = new Set<string>();
    for (const [pattern, methods] of this.#methods) {
      const matches = pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
      if (matches) for (const method of methods) found.add(method);
    }
    return [...found];
  }
}
