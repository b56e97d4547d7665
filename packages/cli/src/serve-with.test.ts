import { expect, it } from 'vitest';
import { dnsServers, type ServeWith, serveWithText } from './serve-with.ts';

const facts: ServeWith = {
  peer: { host: '127.0.0.1', port: 53 },
  primary: { host: '127.0.0.1', port: 5300 },
  key: { name: 'home', algorithm: 'hmac-sha256', secret: 'c2VjcmV0' },
  catalog: 'catalog.alice.invalid',
  zones: ['alice.example', 'bob.example'],
};

it('each server is told the primary, the key and the catalog', () => {
  for (const kind of dnsServers) {
    const text = serveWithText(kind, facts);
    for (const wanted of ['5300', 'hmac-sha256', 'c2VjcmV0', 'home', 'catalog.alice.invalid'])
      expect(text, `${kind}: ${wanted}`).toContain(wanted);
  }
});

it('without a key nothing speaks of one', () => {
  for (const kind of dnsServers) {
    const text = serveWithText(kind, { ...facts, key: null });
    expect(text.replace(' NOKEY', '')).not.toMatch(/hmac|secret|home|tsig/i);
  }
  expect(serveWithText('nsd', { ...facts, key: null })).toContain('request-xfr: 127.0.0.1@5300 NOKEY');
});

it('NSD, whose older versions know no catalog, is told each zone', () => {
  const text = serveWithText('nsd', facts);
  expect(text.match(/^zone:\n {2}name: "\w+\.example"\n {2}include-pattern: "copain-alice"$/gm)).toHaveLength(
    2,
  );
});

it('what two boxes print does not collide in one configuration', () => {
  const key = { name: 'work', algorithm: 'hmac-sha256', secret: 'c2VjcmV0' };
  const bob = { ...facts, catalog: 'catalog.bob-2.invalid', key };
  const names = {
    knot: /id: (\S+)/g,
    nsd: /^ {2}name: "(copain\S*)"/gm,
    bind: /zone "(\S+)" {/g,
    powerdns: /TRIGGER (\S+)/g,
  };
  for (const kind of dnsServers) {
    const ids = (of: ServeWith) => [...serveWithText(kind, of).matchAll(names[kind])].map(([, id]) => id);
    const [ours, his] = [ids(facts), ids(bob)];
    expect(ours.length, kind).toBeGreaterThan(0);
    expect(
      his.filter((id) => ours.includes(id)),
      kind,
    ).toEqual([]);
  }
});
