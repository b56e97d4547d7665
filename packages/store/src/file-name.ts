/** May a durable file have this name? `[a-z0-9._-]{1,128}` without a leading dot, so no name leaves its folder. */
export function isFileName(name: string): boolean {
  return /^[a-z0-9_-][a-z0-9._-]{0,127}$/.test(name);
}
