import { expect, it } from 'vitest';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import { RecordType } from './record-types.ts';
import type { Zone } from './zone.ts';
import { diffZones } from './zone-diff.ts';
import { decodeZone, encodeZone } from './zone-encoding.ts';
import { type NameOverlay, overlayFault, overlayZone } from './zone-overlay.ts';

function zoneOf(...lines: string[]): Zone {
  const text = [
    '$TTL 3600',
    '@ IN SOA ns1.bob.example. host 7 3600 600 3600000 300',
    '@ IN NS ns1.bob.example.',
    ...lines,
  ];
  const { zone, problems } = loadZone({
    text: `${text.join('\n')}\n`,
    file: 'z',
    origin: nameOf('alice.example'),
  });
  if (zone === undefined) throw new Error(problems.map((problem) => problem.text).join());
  return zone;
}

const ipv4 = (text: string): Uint8Array => parseIpv4(text) ?? new Uint8Array();
const standby = (record: string, ...sets: NameOverlay['sets']): NameOverlay => ({ record, ttlS: 60, sets });
const aSet = { type: RecordType.A, data: [ipv4('198.51.100.7')], signatures: [] };

function changes(zone: Zone, names: NameOverlay[], steps = 0, nowS = 1_800_000_000) {
  const overlaid = overlayZone(zone, { steps, names, nowS });
  const { removed, added } = diffZones(zone, overlaid.zone, { withSerial: true });
  // What is answered is a zone like any other.
  expect(decodeZone(encodeZone(overlaid.zone), zone.origin)).toEqual(overlaid.zone);
  return { removed: removed.toSorted(), added: added.toSorted(), refused: overlaid.refused };
}

it('answers the standby in place of both families, with its TTL, and other records of the name stay', () => {
  const zone = zoneOf('www A 192.0.2.1', 'www AAAA 2001:db8::1', 'www TXT "hello"', 'mail A 192.0.2.1');
  expect(changes(zone, [standby('www.alice.example', aSet)], 1)).toEqual({
    removed: [
      'alice.example. 3600 IN SOA ns1.bob.example. host.alice.example. 7 3600 600 3600000 300',
      'www.alice.example. 3600 IN A 192.0.2.1',
      'www.alice.example. 3600 IN AAAA 2001:db8::1',
    ],
    added: [
      'alice.example. 3600 IN SOA ns1.bob.example. host.alice.example. 8 3600 600 3600000 300',
      'www.alice.example. 60 IN A 198.51.100.7',
    ],
    refused: [],
  });
});

it('stands in at the apex too, beside the higher serial', () => {
  const { added } = changes(zoneOf('@ A 192.0.2.1'), [standby('alice.example', aSet)], 3);
  expect(added).toEqual([
    'alice.example. 3600 IN SOA ns1.bob.example. host.alice.example. 10 3600 600 3600000 300',
    'alice.example. 60 IN A 198.51.100.7',
  ]);
});

it('stands in for an SRV record and leaves addresses of that name alone', () => {
  const zone = zoneOf('_xmpp._tcp SRV 5 0 5222 home', 'home A 192.0.2.1');
  const rdata = Uint8Array.of(0, 5, 0, 0, 0x14, 0x66, ...nameOf('xmpp.bob.example'));
  const set = { type: RecordType.SRV, data: [rdata], signatures: [] };
  expect(changes(zone, [standby('_xmpp._tcp.alice.example', set)])).toMatchObject({
    removed: ['_xmpp._tcp.alice.example. 3600 IN SRV 5 0 5222 home.alice.example.'],
    added: ['_xmpp._tcp.alice.example. 60 IN SRV 5 0 5222 xmpp.bob.example.'],
  });
});

it('the serial alone may rise, and goes round at its end', () => {
  const { added } = changes(zoneOf(), [], 2 ** 31 - 1);
  expect(added.join()).toContain(String(7 + 2 ** 31 - 1));
});

it('does not touch what cannot be answered, and says why', () => {
  const zone = zoneOf('www CNAME elsewhere.example.', 'ok A 192.0.2.1');
  const wrong = { ...aSet, data: [Uint8Array.of(1, 2, 3)] };
  const ns = { type: RecordType.NS, data: [nameOf('evil.example')], signatures: [] };
  const names = [
    standby('www.alice.example', aSet),
    standby('www.bob.example', aSet),
    standby('ok.alice.example', wrong),
    standby('ok.alice.example', ns),
  ];
  const { removed, added, refused } = changes(zone, names);
  expect([removed, added]).toEqual([[], []]);
  expect(refused.map(({ text }) => text)).toEqual([
    'www.alice.example is an alias (CNAME): name the record that it leads to',
    'www.bob.example is no name of the zone',
    'what is to be answered for ok.alice.example is no address and no SRV record',
    'what is to be answered for ok.alice.example is no address and no SRV record',
  ]);
});

const rrsig = (type: string, from: string, until: string): string =>
  `${type} 13 3 3600 ${until} ${from} 1 alice.example. ${'A'.repeat(86)}==`;
const signedZone = zoneOf(
  `@ DNSKEY 257 3 13 ${'A'.repeat(86)}==`,
  'www A 192.0.2.1',
  `www RRSIG ${rrsig('A', '20260101000000', '20280101000000')}`,
);
/** The data of the signature that stands in the master file, over A. */
const signatureOver = (from: string, until: string): Uint8Array => {
  const zone = zoneOf(
    `@ DNSKEY 257 3 13 ${'A'.repeat(86)}==`,
    'www A 198.51.100.7',
    `www RRSIG ${rrsig('A', from, until)}`,
  );
  const [signature] = [...zone.nodes.values()]
    .flatMap(({ rrsets }) => rrsets)
    .flatMap(({ signatures }) => signatures);
  return signature ?? new Uint8Array();
};

it('in a signed zone only what its signer signed is answered, while that is good, and the serial stays', () => {
  const nowS = 1_800_000_000;
  const good = { ...aSet, signatures: [signatureOver('20260101000000', '20280101000000')] };
  expect(changes(signedZone, [standby('www.alice.example', good)], 5, nowS)).toEqual({
    removed: expect.arrayContaining(['www.alice.example. 3600 IN A 192.0.2.1']),
    added: expect.arrayContaining(['www.alice.example. 60 IN A 198.51.100.7']),
    refused: [],
  });
  expect(overlayZone(signedZone, { steps: 5, names: [], nowS }).zone.serial).toBe(7);
  const fault = (...sets: NameOverlay['sets']) =>
    overlayFault(signedZone, standby('www.alice.example', ...sets), nowS);
  expect(fault(aSet)).toContain('friends have no key of it');
  expect(fault({ ...aSet, signatures: [signatureOver('20250101000000', '20260101000000')] })).toContain(
    'have expired',
  );
  expect(fault({ ...aSet, signatures: [signatureOver('20280101000000', '20290101000000')] })).toContain(
    'do not count yet',
  );
  const six = { type: RecordType.AAAA, data: [parseIpv6('2001:db8::7') ?? new Uint8Array()], signatures: [] };
  expect(fault(good, six)).toContain('denies records of type 28');
  expect(fault(six)).toContain('whose absence nobody has signed');
});
