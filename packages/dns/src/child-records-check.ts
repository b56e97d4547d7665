import { concatBytes, equalBytes } from '@copain/core';
import { keyTagOf } from './key-tag.ts';
import type { ZoneProblem } from './master-file.ts';
import { canonicalRdata } from './rdata-wire.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone } from './zone.ts';

/** The digest of a DS record by its type; undefined for a type that is not known. */
export type DsDigest = (type: number, octets: Uint8Array) => Uint8Array | undefined;

type Note = (type: number, severity: ZoneProblem['severity'], text: string) => void;

const deletion = {
  [RecordType.CDS]: new Uint8Array([0, 0, 0, 0, 0]),
  [RecordType.CDNSKEY]: new Uint8Array([0, 0, 3, 0, 0]),
};

/** Do CDS and CDNSKEY ask the zone above for the same, and for keys that the zone has (RFC 7344 §4, RFC 8078 §4)? */
export function checkChildRecords(zone: Zone, digest: DsDigest, note: Note): void {
  const at = (type: number): Uint8Array[] => rrsetOf(zone.apex, type)?.rdatas ?? [];
  const dnskeys = at(RecordType.DNSKEY);
  const cdnskeys = at(RecordType.CDNSKEY);
  const cdss = at(RecordType.CDS);
  const isDeletion = [...cdss.map((rdata) => rdata[2]), ...cdnskeys.map((rdata) => rdata[3])].includes(0);
  if (isDeletion) {
    for (const type of [RecordType.CDS, RecordType.CDNSKEY] as const) {
      const rdatas = at(type);
      if (rdatas.every((rdata) => equalBytes(rdata, deletion[type])) && rdatas.length <= 1) continue;
      note(
        type,
        'error',
        'who asks the zone above to remove its DS says nothing else, and just so (RFC 8078 §4)',
      );
    }
    return;
  }
  const owner = canonicalRdata(RecordType.NS, zone.origin);
  const isOf = (cds: Uint8Array, key: Uint8Array): boolean => {
    if ((((cds[0] ?? 0) << 8) | (cds[1] ?? 0)) !== keyTagOf(key) || cds[2] !== key[3]) return false;
    const expected = digest(cds[3] ?? 0, concatBytes(owner, key));
    return expected === undefined || equalBytes(expected, cds.subarray(4));
  };
  if (cdss.length > 0 && cdnskeys.length === 0)
    note(
      RecordType.CDS,
      'warning',
      'a CDS without a CDNSKEY: some zones above only read those (RFC 7344 §5)',
    );
  const keys = cdnskeys.length > 0 ? cdnskeys : dnskeys;
  if (cdss.some((cds) => !keys.some((key) => isOf(cds, key))))
    note(
      RecordType.CDS,
      'error',
      `a CDS is of none of the ${cdnskeys.length > 0 ? 'CDNSKEY' : 'DNSKEY'} records`,
    );
  if (cdss.length > 0 && cdnskeys.some((key) => !cdss.some((cds) => isOf(cds, key))))
    note(RecordType.CDNSKEY, 'error', 'a CDNSKEY has no CDS');
  if (cdnskeys.some((key) => !dnskeys.some((one) => equalBytes(one, key))))
    note(RecordType.CDNSKEY, 'warning', 'a CDNSKEY is none of the DNSKEY records of the zone');
}
