/** Which owner an origin or domain belongs to: the first whose grant this box accepted. Keys are `dns:` or `mail:` names. */
export type Claims = ReadonlyMap<string, string>;

/** The name that stands in the way, and whose it is. */
export interface ClaimConflict {
  name: string;
  ownerId: string;
}

const related = (a: string, b: string): boolean => a === b || a.endsWith(`.${b}`) || b.endsWith(`.${a}`);

/**
 * May `ownerId` have `name` here? Refused where another owner already has it, a name above it or a name below it, until
 * the operator decides: a friend must not be able to take over, or hide, part of another friend's domain.
 */
export function claimConflict(
  claims: Claims,
  wanted: { service: 'dns' | 'mail'; name: string; ownerId: string },
): ClaimConflict | undefined {
  const prefix = `${wanted.service}:`;
  for (const [key, ownerId] of claims) {
    if (!key.startsWith(prefix) || ownerId === wanted.ownerId) continue;
    const name = key.slice(prefix.length);
    if (related(name, wanted.name)) return { name, ownerId };
  }
  return undefined;
}
