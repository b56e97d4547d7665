import { compareBytes } from '@copain/core';
import { problemsMax } from './limits.ts';
import type { MasterRecord, ZoneProblem } from './master-file.ts';
import { type DomainName, isAtOrBelow, type NameKey, nameKey, nameToText, parentKey } from './name.ts';
import { canonicalRdata } from './rdata-wire.ts';
import { checkRecord } from './record-check.ts';
import { RecordType, typeToText } from './record-types.ts';

/** A zone to check, as it stands in its files. */
export interface ZoneToCheck {
  origin: DomainName;
  /** The file to name where something is missing altogether. */
  file: string;
  records: readonly MasterRecord[];
  /** `recordsByName` of them, where it is at hand. */
  byName?: ReadonlyMap<NameKey, MasterRecord[]>;
}

/**
 * What is wrong with a zone as a whole, as far as it can be seen without asking anybody. Errors are what makes it no
 * zone, or what servers answer differently from what was meant; warnings are what one of the common servers refuses or
 * what leads to lookups that fail.
 */
export function checkZone(zone: ZoneToCheck): ZoneProblem[] {
  return new ZoneCheck(zone, zone.byName ?? recordsByName(zone.origin, zone.records)).run();
}

/** Types that may stand beside a CNAME (RFC 4034 §3, §4; RFC 2181 §10.1; RFC 3007 for KEY). */
const besideCname = new Set<number>([RecordType.RRSIG, RecordType.NSEC, RecordType.KEY, RecordType.SIG]);
/** Types that only make sense as one record (RFC 1034 §3.6.2, RFC 6672 §2.4). */
const onlyOne = new Map<number, string>([
  [RecordType.CNAME, 'a name has at most one CNAME'],
  [RecordType.DNAME, 'a name has at most one DNAME'],
]);
/** Octets before the name in the rdata of types whose target must not be an alias (RFC 2181 §10.3). */
const targetAt = new Map<number, number>([
  [RecordType.NS, 0],
  [RecordType.MX, 2],
  [RecordType.SRV, 6],
]);

/**
 * What is wrong at some names alone, all else being as it was when `checkZone` found nothing. That holds where no record of
 * a type that other names are judged by came or went: see `loadAgain`.
 */
export function checkNames(
  zone: ZoneToCheck & { byName: ReadonlyMap<NameKey, MasterRecord[]> },
  keys: Iterable<NameKey>,
): ZoneProblem[] {
  return new ZoneCheck(zone, zone.byName).runAt(keys);
}

/** The records at and below an origin by their names, in their order. */
export function recordsByName(
  origin: DomainName,
  records: Iterable<MasterRecord>,
): Map<NameKey, MasterRecord[]> {
  const byName = new Map<NameKey, MasterRecord[]>();
  for (const record of records) {
    if (!isAtOrBelow(record.owner, origin)) continue;
    const key = nameKey(record.owner);
    const there = byName.get(key);
    if (there) there.push(record);
    else byName.set(key, [record]);
  }
  return byName;
}

class ZoneCheck {
  readonly #zone: ZoneToCheck;
  readonly #originKey: NameKey;
  readonly #problems: ZoneProblem[] = [];
  readonly #counts = { error: 0, warning: 0 };
  readonly #byName: ReadonlyMap<NameKey, MasterRecord[]>;
  #emptyNames: ReadonlySet<NameKey> | undefined;

  constructor(zone: ZoneToCheck, byName: ReadonlyMap<NameKey, MasterRecord[]>) {
    this.#zone = zone;
    this.#byName = byName;
    this.#originKey = nameKey(zone.origin);
  }

  run(): ZoneProblem[] {
    for (const record of this.#zone.records) {
      if (!isAtOrBelow(record.owner, this.#zone.origin)) {
        this.#note(
          'error',
          record,
          `${nameToText(record.owner)} lies outside the zone ${nameToText(this.#zone.origin)}`,
        );
      }
    }
    this.#checkApex();
    this.#checkChildSigners();
    for (const [key, records] of this.#byName) this.#checkName(key, records);
    return this.#problems;
  }

  runAt(keys: Iterable<NameKey>): ZoneProblem[] {
    for (const key of keys) {
      const records = this.#byName.get(key);
      if (records) this.#checkName(key, records);
    }
    return this.#problems;
  }

  #note(
    severity: 'error' | 'warning',
    at: { file: string; line: number; column: number },
    text: string,
  ): void {
    const { file, line, column } = at;
    const count = ++this.#counts[severity];
    if (count <= problemsMax) this.#problems.push({ severity, file, line, column, text });
    else if (count === problemsMax + 1)
      this.#problems.push({
        severity,
        file,
        line,
        column,
        text: `from here on more ${severity}s are not told`,
      });
  }

  #at(key: NameKey, type: number): MasterRecord[] {
    return this.#byName.get(key)?.filter((record) => record.type === type) ?? [];
  }

  #checkApex(): void {
    const top = { file: this.#zone.file, line: 1, column: 1 };
    const origin = nameToText(this.#zone.origin);
    const soas = this.#at(this.#originKey, RecordType.SOA);
    if (soas.length === 0) this.#note('error', top, `the zone has no SOA record at ${origin}`);
    for (const extra of distinct(soas).slice(1))
      this.#note('error', extra, 'the zone has more than one SOA record');
    if (this.#at(this.#originKey, RecordType.NS).length === 0) {
      this.#note('error', soas[0] ?? top, `the zone has no NS record at ${origin}`);
    }
  }

  /**
   * RFC 7344 §4.1: what CDS and CDNSKEY ask the parent for must be an algorithm that the zone is signed with, or the
   * domain is lost as soon as the parent does it. Algorithm 0 asks for removal (RFC 8078 §4).
   */
  #checkChildSigners(): void {
    const used = new Set(this.#at(this.#originKey, RecordType.DNSKEY).map(({ rdata }) => rdata[3]));
    if (used.size === 0) return;
    const asked = [
      ...this.#at(this.#originKey, RecordType.CDS).map((record) => ({ record, algorithm: record.rdata[2] })),
      ...this.#at(this.#originKey, RecordType.CDNSKEY).map((record) => ({
        record,
        algorithm: record.rdata[3],
      })),
    ];
    for (const { record, algorithm } of asked) {
      if (algorithm === 0 || used.has(algorithm)) continue;
      this.#note(
        'error',
        record,
        `${typeToText(record.type)} asks the zone above for algorithm ${algorithm}, of which the zone has no DNSKEY`,
      );
    }
  }

  #checkName(key: NameKey, records: MasterRecord[]): void {
    const isApex = key === this.#originKey;
    const alias = records.find(({ type }) => type === RecordType.CNAME);
    const other = alias && records.find(({ type }) => type !== RecordType.CNAME && !besideCname.has(type));
    if (alias && other) {
      this.#note(
        'error',
        later(alias, other),
        `${nameToText(alias.owner)} has a CNAME and other data (${typeToText(other.type)})`,
      );
    }
    for (const [type, text] of onlyOne) {
      const [, second] = distinct(records.filter((record) => record.type === type));
      if (second) this.#note('error', second, `${nameToText(second.owner)}: ${text}`);
    }
    const soa = isApex ? undefined : records.find(({ type }) => type === RecordType.SOA);
    if (soa) this.#note('error', soa, 'an SOA record stands below the top of the zone');
    const dname = records.find(({ type }) => type === RecordType.DNAME);
    const ns = records.find(({ type }) => type === RecordType.NS);
    if (ns && key.startsWith('\x01*'))
      this.#note('warning', ns, 'a delegation at a wildcard; BIND refuses this (RFC 4592 §4.2)');
    if (dname && ns && !isApex)
      this.#note('warning', later(dname, ns), 'a DNAME and a delegation at one name; Knot refuses this');
    this.#checkRRsets(records);
    this.#checkAbove(key, records[0] as MasterRecord);
    for (const record of records) {
      this.#checkTarget(record, isApex);
      const mistake = checkRecord(record, this.#zone.origin);
      if (mistake) this.#note(mistake.severity, record, mistake.text);
    }
    if (ns && !isApex) this.#checkGlue(key, records);
  }

  #checkRRsets(records: MasterRecord[]): void {
    const firsts = new Map<number, MasterRecord>();
    const seen = new Set<string>();
    for (const record of records) {
      const first = firsts.get(record.type);
      if (!first) firsts.set(record.type, record);
      // Signatures have the TTLs of what they cover.
      else if (first.ttl !== record.ttl && record.type !== RecordType.RRSIG) {
        this.#note(
          'warning',
          record,
          `TTL ${record.ttl} differs from ${first.ttl} in line ${first.line}; the lowest is served for all (RFC 2181)`,
        );
      }
      if (records.length === 1) continue;
      const mark = `${record.type}/${String.fromCharCode(...canonicalRdata(record.type, record.rdata).subarray(0, 4096))}/${record.rdata.length}`;
      if (seen.has(mark))
        this.#note('warning', record, `this ${typeToText(record.type)} record stands here twice`);
      seen.add(mark);
    }
  }

  /** What lies above decides whether a name is answered from at all. */
  #checkAbove(key: NameKey, record: MasterRecord): void {
    for (let above = key; above !== this.#originKey; ) {
      above = parentKey(above);
      const dname = this.#at(above, RecordType.DNAME)[0];
      const isDelegated = above !== this.#originKey && this.#at(above, RecordType.NS).length > 0;
      if (dname && !isDelegated && record.type !== RecordType.NSEC3) {
        this.#note(
          'error',
          record,
          `${nameToText(record.owner)} is never answered: it lies below the DNAME in line ${dname.line}`,
        );
        return;
      }
      const cut = above === this.#originKey ? undefined : this.#at(above, RecordType.NS)[0];
      const hidden =
        cut && this.#byName.get(key)?.find(({ type }) => type !== RecordType.A && type !== RecordType.AAAA);
      if (cut && hidden) {
        this.#note(
          'warning',
          hidden,
          `${typeToText(hidden.type)} of ${nameToText(hidden.owner)} is never answered: it lies below the delegation in line ${cut.line}`,
        );
        return;
      }
    }
  }

  #checkTarget(record: MasterRecord, isApex: boolean): void {
    const skip = targetAt.get(record.type);
    if (skip === undefined) return;
    const target = record.rdata.subarray(skip);
    // A single dot says "no such service" (RFC 7505, RFC 2782).
    if (target.length === 1 || !isAtOrBelow(target, this.#zone.origin)) return;
    const key = nameKey(target);
    const what = `${typeToText(record.type)} names ${nameToText(target)}`;
    if (this.#at(key, RecordType.CNAME).length > 0) {
      this.#note(
        'warning',
        record,
        `${what}, which is a CNAME; it must be a name with an address (RFC 2181 §10.3)`,
      );
    } else if (
      !this.#hasAddress(key) &&
      (record.type !== RecordType.NS || isApex || !isAtOrBelow(target, record.owner))
    ) {
      this.#note('warning', record, `${what}, which has no address in this zone`);
    }
  }

  /** RFC 1034 §4.2.1: a server whose name lies below the cut can only be found through glue. */
  #checkGlue(cut: NameKey, records: MasterRecord[]): void {
    for (const record of records) {
      if (record.type !== RecordType.NS) continue;
      const key = nameKey(record.rdata);
      const inside = key.length >= cut.length && key.endsWith(cut) && isAtOrBelow(record.rdata, record.owner);
      if (inside && this.#at(key, RecordType.A).length === 0 && this.#at(key, RecordType.AAAA).length === 0) {
        this.#note(
          'warning',
          record,
          `the delegation needs an address (glue) for ${nameToText(record.rdata)}`,
        );
      }
    }
  }

  /** Does the name have an address, by itself, through a wildcard, or possibly from beyond a delegation or DNAME? */
  #hasAddress(key: NameKey): boolean {
    const found = (at: NameKey) =>
      this.#at(at, RecordType.A).length > 0 || this.#at(at, RecordType.AAAA).length > 0;
    if (found(key)) return true;
    for (let at = key; at !== this.#originKey; at = parentKey(at)) {
      if (this.#at(at, RecordType.NS).length > 0) return true;
      if (this.#at(parentKey(at), RecordType.DNAME).length > 0) return true;
    }
    // A wildcard speaks for names that are not there, below the nearest one that is (RFC 4592 §3.3.1).
    for (let at = key; at !== this.#originKey; at = parentKey(at)) {
      const wildcard = `\x01*${parentKey(at)}`;
      if (this.#byName.has(wildcard) && found(wildcard)) return !this.#isThere(key, parentKey(at));
    }
    return false;
  }

  /** Is there a name from this one up to another above it, that one left out, be it for what lies below it alone? */
  #isThere(key: NameKey, above: NameKey): boolean {
    this.#emptyNames ??= emptyNames(this.#byName.keys(), this.#originKey);
    for (let at = key; at !== above; at = parentKey(at))
      if (this.#byName.has(at) || this.#emptyNames.has(at)) return true;
    return false;
  }
}

/** The names between those that have records and the origin (RFC 8020). */
function emptyNames(keys: Iterable<NameKey>, originKey: NameKey): Set<NameKey> {
  const between = new Set<NameKey>();
  for (const key of keys)
    for (let at = key; at !== originKey; ) {
      at = parentKey(at);
      if (between.has(at)) break;
      between.add(at);
    }
  return between;
}

function later(a: MasterRecord, b: MasterRecord): MasterRecord {
  return a.line >= b.line ? a : b;
}

/** The records without repetitions. */
function distinct(records: readonly MasterRecord[]): MasterRecord[] {
  return records.filter(
    (record, index) =>
      records.findIndex(
        (other) =>
          compareBytes(canonicalRdata(other.type, other.rdata), canonicalRdata(record.type, record.rdata)) ===
          0,
      ) === index,
  );
}
