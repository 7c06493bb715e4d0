/** Value of an environment variable that a peer needs. */
export function requireEnvironment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; see npm run bench -- --help`);
  return value;
}
