import { mailServersOf } from '@copain/dns';
import { expect, it } from 'vitest';
import { zoneAt, zoneOf } from '../../dns/src/testing.ts';
import { publicTargets, type ServiceSources, signedTargets } from './service-targets.ts';

const zone = zoneOf(
  7,
  '@ NS ns2.bob.example.',
  '@ MX 10 mail',
  '@ MX 20 mx.bob.example.',
  'mail A 192.0.2.10',
  'mail AAAA 2001:db8::10',
);
const hosts: Record<string, string[]> = {
  'ns.alice.example': ['192.0.2.1'],
  'ns2.bob.example': ['198.51.100.2'],
  'mail.alice.example': ['2001:db8::10', '192.0.2.10'],
  'mx.bob.example': ['198.51.100.2'],
};
const sources = (more: Partial<ServiceSources> = {}): ServiceSources => ({
  zones: [{ ownerId: 'alice', zone }],
  mailDomains: new Map([['alice', ['alice.example']]]),
  mailServersOf: (domain) => mailServersOf(zone, domain),
  observes: () => true,
  addressesOf: (host) => hosts[host] ?? [],
  isOwn: () => false,
  allowPrivate: true,
  ...more,
});
const told = (more: Partial<ServiceSources> = {}): string[] =>
  publicTargets(sources(more)).map(
    ({ service, target, checks }) => `${service} ${target} ${checks.map(({ address }) => address).join(' ')}`,
  );

it('tries the mail servers and name servers that a zone names, at their IPv4 address where they have one', () => {
  expect(told()).toEqual([
    'smtp mail.alice.example:25 192.0.2.10',
    'backup-mx mx.bob.example:25 198.51.100.2',
    'dns alice.example at ns.alice.example 192.0.2.1 192.0.2.1',
    'dns alice.example at ns2.bob.example 198.51.100.2 198.51.100.2',
  ]);
  const [smtp, , dns] = publicTargets(sources());
  expect(smtp?.checks[0]?.check).toMatchObject({
    greets: ['mail.alice.example', 'alice.example', 'alice.example'],
  });
  expect(dns?.checks.map(({ check }) => check)).toMatchObject([
    { origin: 'alice.example', serial: 7, over: 'udp' },
    { origin: 'alice.example', serial: 7, over: 'tcp' },
  ]);
});

it('leaves out mail that is not entrusted to friends, and owners whom others look at', () => {
  expect(told({ mailDomains: new Map() })).toHaveLength(2);
  expect(told({ observes: () => false })).toEqual([]);
});

it('never tries loopback, itself, or a host that is nowhere; private addresses only where they are allowed', () => {
  const at = (address: string) => ({ addressesOf: () => [address] });
  expect(told(at('127.0.53.1'))).toEqual([]);
  expect(told({ ...at('10.1.2.3'), allowPrivate: false })).toEqual([]);
  expect(told({ ...at('10.1.2.3'), allowPrivate: true })).toHaveLength(4);
  expect(told({ ...at('192.0.2.9'), isOwn: (address) => address === '192.0.2.9' })).toEqual([]);
  expect(told({ addressesOf: () => [] })).toEqual([]);
});

it('a zone with more servers, or an owner with more zones, than are tried keeps to the limits', () => {
  const servers = Array.from({ length: 20 }, (_, index) => `@ NS ns${index}.bob.example.`);
  const zones = Array.from({ length: 10 }, (_, index) => ({
    ownerId: 'alice',
    zone: zoneAt(`z${index}.example`, 1, ...servers),
  }));
  expect(told({ zones, addressesOf: () => ['192.0.2.1'], mailDomains: new Map() })).toHaveLength(4 * 8);
});

it('domains that share a server have it tried once, and many domains keep to the limit', () => {
  const domains = Array.from({ length: 20 }, (_, index) => `d${index}.example`);
  const mail = (host: (domain: string) => string) =>
    told({
      zones: [],
      mailDomains: new Map([['alice', domains]]),
      mailServersOf: (domain) => [{ host: host(domain), preference: 10 }],
      addressesOf: () => ['192.0.2.1'],
    });
  expect(mail(() => 'mail.alice.example')).toHaveLength(1);
  expect(mail((domain) => `mx.${domain}`)).toHaveLength(8);
});

it('tries what an owner signed at the address of his own zone, and nothing of what it may not or cannot', () => {
  const web = { ownerId: 'alice', name: 'web', check: 'https://mail.alice.example/health#contains=ok' };
  expect(signedTargets([web], sources())).toMatchObject([
    {
      owner: 'alice',
      service: 'web',
      target: web.check,
      protocol: 'http',
      checks: [{ address: '192.0.2.10' }],
    },
  ]);
  expect(signedTargets([{ ...web, check: 'ftp://x' }], sources())).toEqual([]);
  expect(signedTargets([web], sources({ observes: () => false }))).toEqual([]);
  expect(signedTargets([web], sources({ isOwn: () => true }))).toEqual([]);
  const inside = { addressesOf: () => ['127.0.0.1'] };
  expect(signedTargets([web], sources({ ...inside, allowPrivate: false }))).toEqual([]);
  expect(signedTargets([web], sources({ ...inside, allowPrivate: true }))).toHaveLength(1);
});
