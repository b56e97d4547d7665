import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NameKey, nameKey, nameOf, parseMasterFile, RecordType, rcodeToText } from '@copain/dns';
import type { RecordedAnswer } from './recorded-answer.ts';

interface PowerdnsAnswer {
  answer: string[];
  authority: string[];
  additional: string[];
  rcode: number;
  aa: number;
  tc: number;
}

/** A query of PowerDNS's own regression tests. The signed modes were made with keys that are not part of the set. */
export interface PowerdnsCase {
  id: string;
  q: { name: string; type: string; do: boolean; tcp: boolean };
  expected: { plain?: PowerdnsAnswer };
}

const servfail = 2;

/** What PowerDNS answered from the unsigned zones, for the judge of answers. */
export function recordedAnswer({ expected: { plain } }: PowerdnsCase): RecordedAnswer {
  if (plain === undefined) throw new Error('not answered from the unsigned zones');
  const { answer, authority, additional } = plain;
  const flags = plain.aa === 1 ? ['AA'] : [];
  return { servers: ['knot'], rcode: rcodeToText(plain.rcode), flags, answer, authority, additional };
}

/** Why the recorded answer is nothing to agree with, where it is not: each time by what is asked or recorded, never by the case. */
export function powerdnsHabit({ q, expected: { plain } }: PowerdnsCase, folder: string): string | undefined {
  if (plain === undefined) return 'recorded with signatures by keys that are not part of the set only';
  if (plain.tc === 1) return 'recorded truncated, which leaves nothing to compare';
  if (q.type === 'RRSIG') return 'RRSIG queries, on which servers differ';
  if (plain.rcode === servfail) return 'aliases in a circle, which PowerDNS calls a failure';
  const isReferral = plain.aa === 0 && plain.answer.length === 0;
  if (isReferral && q.do && zonesAsWritten(folder).delegationsWithDs.has(referredTo(plain)))
    return 'PowerDNS leaves the DS out of referrals of a zone that is not signed';
  if (zonesAsWritten(folder).names.has(nameKey(nameOf(q.name))))
    return 'the name has records that no other server reads as they are written';
  return undefined;
}

const referredTo = ({ authority }: PowerdnsAnswer): NameKey =>
  nameKey(nameOf(authority[0]?.split(' ')[0] ?? '.'));

interface ZonesAsWritten {
  /** Names of which a line is refused: a TXT longer than 255 octets in one piece, a parameter key with leading zeros. */
  names: Set<NameKey>;
  delegationsWithDs: Set<NameKey>;
}
const read = new Map<string, ZonesAsWritten>();

function zonesAsWritten(folder: string): ZonesAsWritten {
  const known = read.get(folder);
  if (known) return known;
  const found: ZonesAsWritten = { names: new Set(), delegationsWithDs: new Set() };
  for (const origin of readdirSync(folder)) {
    const text = readFileSync(join(folder, origin), 'latin1');
    const { records, problems } = parseMasterFile({
      text,
      file: origin,
      origin: nameOf(`${origin}.`),
      defaultTtl: 0,
    });
    for (const { owner, type } of records)
      if (type === RecordType.DS) found.delegationsWithDs.add(nameKey(owner));
    const lines = text.split('\n');
    for (const { line, severity } of problems) {
      if (severity !== 'error') continue;
      const from = lines.slice(0, line).findLast((one) => /^[^\s;$]/.test(one)) ?? '';
      const [owner = ''] = from.split(/\s/);
      found.names.add(nameKey(nameOf(owner.endsWith('.') ? owner : `${owner}.${origin}.`)));
    }
  }
  read.set(folder, found);
  return found;
}
