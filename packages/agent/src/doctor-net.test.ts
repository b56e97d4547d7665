import { expect, it } from 'vitest';
import { type NetFacts, netChecks, ownHosts } from './doctor-net.ts';

const home: NetFacts = {
  friends: 2,
  observed: '203.0.113.7',
  own: ['192.168.1.2'],
  ports: [
    { port: 4853, what: 'mesh', served: true, answer: false, by: ['carol', 'dave'] },
    { port: 25, what: 'mail', served: false, answer: false, by: ['carol'] },
    { port: 53, what: 'dns', served: true, answer: undefined, by: [] },
  ],
  relays: ['carol'],
  router: [],
};
const byId = (facts: NetFacts) => new Map(netChecks(facts).map((check) => [check.id, check]));

it('a box behind NAT is told so, with the port to forward and to where, and through whom it is reached meanwhile', () => {
  const checks = byId(home);
  expect(checks.get('net.address')?.text).toContain(
    '203.0.113.7; its own address is 192.168.1.2, so it is behind',
  );
  expect(checks.get('net.mesh')).toMatchObject({
    ok: false,
    text: 'carol and dave could not reach 203.0.113.7:4853 (friends).',
    hint: 'have the router forward TCP port 4853 to 192.168.1.2',
  });
  expect(checks.get('net.relay')).toMatchObject({ ok: true, text: 'Friends reach this box through carol.' });
  expect(checks.get('net.mail')).toMatchObject({ ok: null });
  expect(checks.get('net.dns')).toMatchObject({ ok: null });
});

it('without a relay that is wrong too; with a shared provider address it is said', () => {
  const checks = byId({ ...home, own: ['100.64.3.4'], relays: [] });
  expect(checks.get('net.relay')).toMatchObject({ ok: false });
  expect(checks.get('net.address')?.text).toContain('CGNAT');
});

it('a box that was reached needs no relay; one with a public address needs an open firewall', () => {
  const reached = home.ports.map((port) => ({ ...port, answer: true }));
  expect(netChecks({ ...home, ports: reached, relays: [] }).map(({ id, ok }) => [id, ok])).toEqual([
    ['net.address', null],
    ['net.mesh', true],
    ['net.mail', true],
    ['net.dns', true],
  ]);
  const checks = byId({ ...home, own: ['203.0.113.7'] });
  expect(checks.get('net.address')).toMatchObject({ ok: true });
  expect(checks.get('net.mesh')?.hint).toContain('firewall');
});

it('without friends, or without an answer, nothing is claimed', () => {
  expect(netChecks({ ...home, friends: 0 }).map(({ ok }) => ok)).toEqual([null]);
  const silent = home.ports.map((port) => ({ ...port, answer: undefined, by: [] }));
  const checks = netChecks({ ...home, observed: undefined, ports: silent, relays: [] });
  expect(checks.every(({ ok }) => ok === null)).toBe(true);
});

it('loopback and link-local addresses are not where a box is', () => {
  expect(ownHosts(['127.0.0.1', '::1', 'fe80::1', '169.254.1.1', '192.168.1.2', '2001:db8::1'])).toEqual([
    '192.168.1.2',
    '2001:db8::1',
  ]);
});

it('a port that the router passes on is named, and one behind a second NAT is said to lead nowhere', () => {
  const port = { internalPort: 4853, externalPort: 5862, way: 'UPnP', externalHost: '203.0.113.9' };
  const open = netChecks({ ...home, router: [{ ...port, leadsNowhere: false }] });
  expect(open.find(({ id }) => id === 'net.router')).toMatchObject({
    ok: true,
    text: 'The router passes TCP port 5862 on to port 4853 of this box (UPnP).',
  });
  const shared = netChecks({
    ...home,
    router: [{ ...port, externalHost: '100.64.0.9', leadsNowhere: true }],
  });
  const check = shared.find(({ id }) => id === 'net.router');
  expect(check?.ok).toBe(false);
  expect(check?.text).toContain('100.64.0.9 is private too');
});
