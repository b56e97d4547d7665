import {
  type DomainName,
  isAtOrBelow,
  type LoadedZone,
  loadZone,
  nameOf,
  parseMasterFile,
  RecordType,
  type ZoneProblem,
} from '@copain/dns';
import { signatureProblems } from '@copain/dns/io';

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
  defaults: { defaultTtl?: number } = {},
): LoadedZone & { accepted: boolean } {
  const loaded = loadZone({ text, file: 'zone', origin: originOf(text, origin), ...defaults });
  return { ...loaded, accepted: loaded.zone !== undefined };
}

function originOf(text: string, given: string | null | undefined): DomainName {
  if (given) return nameOf(given);
  const { records } = parseMasterFile({ text, file: 'zone', origin: nameOf('.'), defaultTtl: 0 });
  const soa = records.find(({ type }) => type === RecordType.SOA)?.owner;
  const first = records[0]?.owner ?? nameOf('.');
  return soa ?? records.reduce((common, { owner }) => (isAtOrBelow(common, owner) ? owner : common), first);
}

interface CheckVerdict {
  id: string;
  wrong: string | undefined;
  /** Why there is nothing to agree with. */
  notJudged?: string;
}

export function judgeZoneCheck(one: ZoneCheckCase): CheckVerdict {
  const text = Array.isArray(one.zone)
    ? `${one.zone.join('\n')}\n`
    : Buffer.from(one.input_b64 ?? '', 'base64').toString('latin1');
  // What it includes is not part of the set.
  if (/^\$INCLUDE/im.test(text))
    return notJudged(one.id, 'the zone includes a file that is not part of the set');
  if (one.expect) return judgeAgainstKnot(one, text);
  const wanted = one.bind_expects ? one.bind_expects !== 'bad' : unanimous(one.accepted_by ?? {});
  if (wanted === undefined) return notJudged(one.id, 'BIND, NSD and Knot disagree');
  return verdict(one.id, wanted, check(text, one.origin));
}

function unanimous({ bind, nsd, knot }: Record<string, boolean>): boolean | undefined {
  return bind === nsd && nsd === knot ? bind : undefined;
}

/** The TTL that Knot's checker gives records which have none. */
const knotTtl = 3600;

/**
 * What Knot accepts loads, and what it calls fatal is refused. What it loads but complains of must be complained of here
 * too. The sets' signatures are valid until 2040 or later.
 */
function judgeAgainstKnot(one: ZoneCheckCase, text: string): CheckVerdict {
  for (const { accepted, dnssec, origin, fatal } of one.expect ?? []) {
    const got = check(text, origin, { defaultTtl: knotTtl });
    if (fatal > 0) {
      if (got.accepted) return verdict(one.id, false, got);
      continue;
    }
    const problems = [...got.problems, ...(dnssec ? signaturesOf(got) : [])];
    const errors = problems.filter(({ severity }) => severity === 'error');
    if (accepted && (!got.accepted || errors.length > 0))
      return verdict(one.id, true, { accepted: false, problems });
    if (!accepted && problems.length === 0)
      return { id: one.id, wrong: 'nothing is said of what Knot complains of' };
  }
  return { id: one.id, wrong: undefined };
}

function signaturesOf(loaded: LoadedZone): ZoneProblem[] {
  return signatureProblems('zone', { ...loaded, files: [], ends: new Map() }, Date.now());
}

const notJudged = (id: string, why: string): CheckVerdict => ({ id, wrong: undefined, notJudged: why });

function verdict(
  id: string,
  wanted: boolean,
  got: { accepted: boolean; problems: ZoneProblem[] },
): CheckVerdict {
  if (wanted === got.accepted) return { id, wrong: undefined };
  const told = got.problems.map(({ severity, line, text }) => `${line}: ${severity}: ${text}`).join('; ');
  return { id, wrong: wanted ? `refused, should load: ${told}` : `loads, should be refused: ${told}` };
}
