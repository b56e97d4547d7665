import {
  type DomainName,
  isAtOrBelow,
  loadZone,
  nameOf,
  parseMasterFile,
  RecordType,
  type ZoneProblem,
} from '@copain/dns';

/** A zone and what the checkers of other servers say about it: three kinds of case, told apart by their fields. */
export interface ZoneCheckCase {
  id: string;
  origin?: string | null;
  zone: string | string[];
  input_b64?: string;
  accepted_by?: Record<string, boolean>;
  bind_expects?: 'good' | 'bad' | 'warn';
  expect?: { accepted: boolean; dnssec: boolean; origin: string | null; fatal: number }[];
}

/** Does the zone load, and with which problems? Without a given origin, its SOA's owner is the origin. */
function check(
  text: string,
  origin: string | null | undefined,
): { accepted: boolean; problems: ZoneProblem[] } {
  const loaded = loadZone({ text, file: 'zone', origin: originOf(text, origin) });
  return { accepted: loaded.zone !== undefined, problems: loaded.problems };
}

function originOf(text: string, given: string | null | undefined): DomainName {
  if (given) return nameOf(given);
  const { records } = parseMasterFile({ text, file: 'zone', origin: nameOf('.'), defaultTtl: 0 });
  const soa = records.find(({ type }) => type === RecordType.SOA)?.owner;
  const first = records[0]?.owner ?? nameOf('.');
  return soa ?? records.reduce((common, { owner }) => (isAtOrBelow(common, owner) ? owner : common), first);
}

/** Undefined where the anchors disagree among themselves, so that there is nothing to agree with. */
export function judgeZoneCheck(one: ZoneCheckCase): { id: string; wrong: string | undefined } | undefined {
  const text = Array.isArray(one.zone)
    ? `${one.zone.join('\n')}\n`
    : Buffer.from(one.input_b64 ?? '', 'base64').toString('latin1');
  // What it includes is not part of the set.
  if (/^\$INCLUDE/im.test(text)) return undefined;
  if (one.expect) return judgeAgainstKnot(one, text);
  const wanted = one.bind_expects ? one.bind_expects !== 'bad' : unanimous(one.accepted_by ?? {});
  if (wanted === undefined) return undefined;
  return verdict(one.id, wanted, check(text, one.origin));
}

function unanimous({ bind, nsd, knot }: Record<string, boolean>): boolean | undefined {
  return bind === nsd && nsd === knot ? bind : undefined;
}

/** Only the checks that need no DNSSEC: signatures are the business of whoever signs the zone. */
function judgeAgainstKnot(
  one: ZoneCheckCase,
  text: string,
): { id: string; wrong: string | undefined } | undefined {
  const expected = one.expect?.filter(({ dnssec }) => !dnssec) ?? [];
  if (expected.length === 0) return undefined;
  return verdict(
    one.id,
    expected.every(({ fatal }) => fatal === 0),
    check(text, expected[0]?.origin ?? null),
  );
}

function verdict(
  id: string,
  wanted: boolean,
  got: { accepted: boolean; problems: ZoneProblem[] },
): { id: string; wrong: string | undefined } {
  if (wanted === got.accepted) return { id, wrong: undefined };
  const told = got.problems.map(({ severity, line, text }) => `${line}: ${severity}: ${text}`).join('; ');
  return { id, wrong: wanted ? `refused, should load: ${told}` : `loads, should be refused: ${told}` };
}
