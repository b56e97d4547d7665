import { zoneBytesMax } from './limits.ts';
import type { MasterRecord, ResourceRecord, ZoneProblem } from './master-file.ts';
import type { DomainName } from './name.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import { checkZone, recordsByName } from './zone-check.ts';
import { decodeRecords, encodeZone, zoneRecords } from './zone-encoding.ts';

/** A zone that a primary sent, with its encoding, or what is wrong with it. */
export type ReceivedZone =
  | { kind: 'zone'; zone: Zone; content: Uint8Array }
  | { kind: 'mistaken'; problems: ZoneProblem[] };

/**
 * Holds what a primary sent to what a master file is held to. `sent` is all records, or the zone that changes have led
 * to. `source` is its name in problems, which have no line (0). Warnings are for whoever edits the zone, not for here.
 */
export function receivedZone(options: {
  source: string;
  origin: DomainName;
  sent: readonly ResourceRecord[] | Zone;
}): ReceivedZone {
  const { source: file, origin, sent } = options;
  const mistaken = (texts: readonly string[]): ReceivedZone => ({
    kind: 'mistaken',
    problems: texts.map((text) => ({ severity: 'error', file, line: 0, column: 0, text })),
  });
  const isZone = 'nodes' in sent;
  const place = { file, line: 0, column: 0 };
  const records = (isZone ? zoneRecords(sent) : sent).map(
    (record): MasterRecord => ({ ...record, ...place }),
  );
  const checked = checkZone({ origin, file, records, byName: recordsByName(origin, records) });
  const errors = checked.filter(({ severity }) => severity === 'error');
  // Records that came over the wire stand in no line.
  if (errors.length > 0) return mistaken(errors.map(({ text }) => text.replaceAll(' in line 0', '')));
  const built = isZone ? { kind: 'zone' as const, zone: sent } : buildZone(origin, records);
  if (built.kind === 'refused') return mistaken([built.text]);
  const content = encodeZone(built.zone);
  if (content.length > zoneBytesMax) return mistaken([`the zone is larger than ${zoneBytesMax} octets`]);
  if (!decodeRecords(content))
    return mistaken(['the encoding of the zone is ambiguous, so friends could not take it']);
  return { kind: 'zone', zone: built.zone, content };
}
