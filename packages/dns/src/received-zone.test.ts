import { expect, it } from 'vitest';
import { zoneBytesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { nameOf } from './name.ts';
import { type ReceivedZone, receivedZone } from './received-zone.ts';
import { RecordType } from './record-types.ts';
import { zoneOf } from './testing.ts';
import { encodeZone, zoneRecords } from './zone-encoding.ts';

const zone = zoneOf(7);
const received = (...more: ResourceRecord[]): ReceivedZone =>
  receivedZone({ source: '192.0.2.1:53', origin: zone.origin, sent: [...zoneRecords(zone), ...more] });
const why = (found: ReceivedZone): string | undefined =>
  found.kind === 'mistaken' ? found.problems[0]?.text : undefined;

it('is taken with the encoding that it has as a file', () => {
  expect(received()).toMatchObject({ kind: 'zone', content: encodeZone(zone) });
});

it('is not taken with data that friends could not read: a record of a known type without any', () => {
  const owner = nameOf('odd.alice.example');
  const [empty, unknown] = [RecordType.MX, 65_280].map((type) =>
    received({ owner, type, ttl: 60, rdata: new Uint8Array() }),
  );
  expect(why(empty as ReceivedZone)).toMatch(/friends could not take it/);
  expect(unknown?.kind).toBe('zone');
});

it('is not taken above the size that a zone may have', () => {
  const rdata = new Uint8Array(60_000).fill(255);
  for (let at = 0; at < rdata.length; at += 256) rdata[at] = Math.min(255, rdata.length - at - 1);
  const count = Math.ceil(zoneBytesMax / rdata.length);
  const texts = Array.from({ length: count }, (_, i) => ({
    owner: nameOf(`t${i}.alice.example`),
    type: RecordType.TXT,
    ttl: 60,
    rdata,
  }));
  expect(received(...texts.slice(0, 3)).kind).toBe('zone');
  expect(why(received(...texts))).toBe(`the zone is larger than ${zoneBytesMax} octets`);
});
