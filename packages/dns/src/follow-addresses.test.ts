import { expect, it } from 'vitest';
import { type FollowedAddresses, followAddresses } from './follow-addresses.ts';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import type { Zone } from './zone.ts';
import { diffZones } from './zone-diff.ts';

function zoneOf(...lines: string[]): Zone {
  const text = [
    '$TTL 3600',
    '@ IN SOA ns1.bob.example. host 7 3600 600 3600000 300',
    '@ IN NS ns1.bob.example.',
    ...lines,
  ].join('\n');
  const { zone, problems } = loadZone({ text: `${text}\n`, file: 'z', origin: nameOf('alice.example') });
  if (zone === undefined) throw new Error(problems.map((problem) => problem.text).join());
  return zone;
}

const both: FollowedAddresses = { ipv4: '203.0.113.9', ipv6: '2001:db8::9' };
const only4: FollowedAddresses = { ipv4: '203.0.113.9', ipv6: undefined };

/** What following changes, as lines. */
function changes(zone: Zone, names: readonly string[], addresses: FollowedAddresses) {
  const result = followAddresses(zone, names.map(nameOf), addresses);
  if (result.kind === 'refused') return result.text;
  const { removed, added } = diffZones(zone, result.zone, { withSerial: true });
  return { removed: removed.toSorted(), added: added.toSorted() };
}

it('gives each family its address, keeps the TTL, and leaves other records of the name', () => {
  const zone = zoneOf('@ 60 A 192.0.2.1', '@ 120 AAAA 2001:db8::1', '@ MX 10 mail', 'www A 192.0.2.1');
  expect(changes(zone, ['alice.example'], both)).toEqual({
    removed: ['alice.example. 120 IN AAAA 2001:db8::1', 'alice.example. 60 IN A 192.0.2.1'],
    added: ['alice.example. 120 IN AAAA 2001:db8::9', 'alice.example. 60 IN A 203.0.113.9'],
  });
});

it('does not give a name a family that it had not, and keeps a family whose address is not known', () => {
  const zone = zoneOf('mail A 192.0.2.1', 'six AAAA 2001:db8::1');
  expect(changes(zone, ['mail.alice.example', 'six.alice.example'], only4)).toEqual({
    removed: ['mail.alice.example. 3600 IN A 192.0.2.1'],
    added: ['mail.alice.example. 3600 IN A 203.0.113.9'],
  });
});

it('puts in a name that has no address yet, for five minutes', () => {
  expect(changes(zoneOf('a.b A 192.0.2.1'), ['new.alice.example', 'b.alice.example'], both)).toEqual({
    removed: [],
    added: ['b.alice.example. 300 IN A 203.0.113.9', 'new.alice.example. 300 IN A 203.0.113.9'],
  });
});

it('several addresses become the one', () => {
  const zone = zoneOf('mail A 192.0.2.1', 'mail A 203.0.113.9');
  expect(changes(zone, ['mail.alice.example'], only4)).toEqual({
    removed: ['mail.alice.example. 3600 IN A 192.0.2.1'],
    added: [],
  });
});

it('hands back the very zone where nothing differs, also a signed one', () => {
  const zone = zoneOf('mail A 203.0.113.9', '@ DNSKEY 256 3 13 AAAA');
  const result = followAddresses(zone, [nameOf('mail.alice.example')], only4);
  expect(result.kind === 'zone' && result.zone).toBe(zone);
});

it('refuses a signed zone and an alias, and says which', () => {
  const signed = zoneOf('mail A 192.0.2.1', '@ DNSKEY 256 3 13 AAAA');
  expect(changes(signed, ['mail.alice.example'], only4)).toMatch(/signed with DNSSEC/);
  const alias = zoneOf('mail CNAME www', 'www A 192.0.2.1');
  expect(changes(alias, ['mail.alice.example'], only4)).toMatch(/^mail\.alice\.example\. is an alias/);
});
