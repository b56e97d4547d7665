import { expect, it } from 'vitest';
import { zoneOf } from './testing.ts';
import { addressesIn, mailServersOf, nameServersOf } from './zone-hosts.ts';

const zone = zoneOf(
  1,
  '@ NS NS2.Bob.Example.',
  '@ MX 20 mx.bob.example.',
  '@ MX 10 Mail',
  'mail A 192.0.2.10',
  'mail AAAA 2001:db8::a',
  'www CNAME mail',
  'lists MX 5 mail',
);

it('names the servers of a zone, the preferred mail server first, and where they are', () => {
  expect(nameServersOf(zone).toSorted()).toEqual(['ns.alice.example', 'ns2.bob.example']);
  expect(mailServersOf(zone, 'alice.example')).toEqual([
    { host: 'mail.alice.example', preference: 10 },
    { host: 'mx.bob.example', preference: 20 },
  ]);
  expect(mailServersOf(zone, 'lists.alice.example')).toEqual([{ host: 'mail.alice.example', preference: 5 }]);
  expect(mailServersOf(zone, 'www.alice.example')).toEqual([]);
  expect(addressesIn(zone, 'MAIL.alice.example')).toEqual(['192.0.2.10', '2001:db8::a']);
});

it('a null MX is no mail server, and an alias or a stranger has no address here', () => {
  expect(mailServersOf(zoneOf(1, '@ MX 0 .'), 'alice.example')).toEqual([]);
  expect(addressesIn(zone, 'www.alice.example')).toEqual([]);
  expect(addressesIn(zone, 'mx.bob.example')).toEqual([]);
  expect(addressesIn(zone, '..')).toEqual([]);
});
