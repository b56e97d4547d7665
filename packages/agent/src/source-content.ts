import { type DomainName, followAddresses, parseName, type Zone, type ZoneProblem } from '@copain/dns';

/** What a source says a zone is. `zone` is undefined where what it says is none. */
export interface SourceContent {
  zone: Zone | undefined;
  problems: readonly ZoneProblem[];
  /** `encodeZone` of the zone, where it is at hand. */
  content?: Uint8Array;
  /** Where the SOA stands. */
  soaAt?: Pick<ZoneProblem, 'file' | 'line' | 'column'> | undefined;
}

/**
 * What a source says, with the public address of this box at the names that follow it (`follow` in `[[zone]]`, `@` or
 * relative to the origin). Where that cannot be, it is as it was, with a warning that says why. `name`: how messages call
 * the source.
 */
export function withFollowed(
  found: SourceContent,
  { origin, follow, name }: { origin: DomainName; follow: readonly string[]; name: string },
  addresses: { ipv4: string | undefined; ipv6: string | undefined },
): SourceContent {
  if (follow.length === 0 || found.zone === undefined) return found;
  const names = follow.flatMap((one) => {
    const parsed = parseName(one, origin);
    return parsed.kind === 'name' ? [parsed.name] : [];
  });
  const followed = followAddresses(found.zone, names, addresses);
  if (followed.kind === 'zone') {
    // What is at hand of a zone belongs to that zone alone.
    if (followed.zone === found.zone) return found;
    return { zone: followed.zone, problems: found.problems, soaAt: found.soaAt };
  }
  const text = `follow: ${followed.text}`;
  const warning: ZoneProblem = { severity: 'warning', file: name, line: 0, column: 0, text };
  return { ...found, problems: [...found.problems, warning] };
}
