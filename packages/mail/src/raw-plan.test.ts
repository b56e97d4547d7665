import { expect, it } from 'vitest';
import { rawPerNetworkMax, rawSessionsMax } from './limits.ts';
import type { MailDomain } from './mail-domain.ts';
import { judgeGreeting, mayGoRaw, rawTarget, whyNotClient } from './raw-plan.ts';

const client = {
  ip: '203.0.113.9',
  port: 4000,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: '',
  tls: false,
  esmtp: false,
};

it('one network has some of the places, all networks together have all of them', () => {
  const same = Array.from({ length: rawPerNetworkMax }, () => '203.0.113');
  expect(mayGoRaw('203.0.113.9', same.slice(1))).toBe(true);
  expect(mayGoRaw('203.0.113.200', same)).toBe(false);
  expect(mayGoRaw('198.51.100.1', same)).toBe(true);
  const many = Array.from({ length: rawSessionsMax }, (_, index) => `10.0.${index}`);
  expect(mayGoRaw('198.51.100.1', many)).toBe(false);
});

it('a friend’s word for a client inside, or in the network of the owner’s box, is not repeated to the MTA', () => {
  const view = { allowPrivate: false, own: ['198.51.100.7', '2001:db8:1::7', '192.168.1.5'] };
  expect(whyNotClient(client, view)).toBeUndefined();
  for (const ip of ['127.0.0.1', '10.1.2.3', '192.168.1.9', '169.254.1.1', '198.51.100.9'])
    expect([ip, whyNotClient({ ...client, ip }, view)]).not.toEqual([ip, undefined]);
  const six = { ...client, serverIp: '2001:db8:9::1' };
  expect(whyNotClient({ ...six, ip: '2001:db8:2::1' }, view)).toBeUndefined();
  for (const ip of ['::1', 'fd00::1', 'fe80::1', '2001:db8:1:ffff::1', '64:ff9b::7f00:1'])
    expect([ip, whyNotClient({ ...six, ip }, view)]).not.toEqual([ip, undefined]);
  expect(whyNotClient({ ...client, ip: '10.1.2.3' }, { ...view, allowPrivate: true })).toBeUndefined();
  expect(whyNotClient({ ...client, ip: '::ffff:127.0.0.1' }, view)).toMatch(/private/);
});

it('two addresses of different families are not told, since PROXY version 1 would make the client ours', () => {
  const view = { allowPrivate: true, own: [] };
  expect(whyNotClient({ ...client, serverIp: '2001:db8::1' }, view)).toMatch(/families/);
  expect(whyNotClient({ ...client, ip: '2001:db8::1' }, view)).toMatch(/families/);
});

const own = (domain: string, more: Partial<MailDomain> = {}): MailDomain => ({
  domain,
  ownerId: 'a',
  ownerName: 'alice',
  role: 'own',
  sealTo: [],
  maxBytes: 1,
  deliver: { host: '127.0.0.1', port: 2525 },
  client: 'proxy-v2',
  ...more,
});

it('a raw connection leads to the MTA of the granted domains, and to no other', () => {
  const domains = [own('a.test'), own('b.test', { deliver: { host: '127.0.0.1', port: 2526 } })];
  const first = { kind: 'mta', address: { host: '127.0.0.1', port: 2525 }, form: 'proxy-v2' };
  expect(rawTarget(domains, ['a.test'])).toEqual(first);
  expect(rawTarget(domains, ['a.test', 'b.test'])).toMatchObject({ kind: 'none' });
  expect(rawTarget(domains, [])).toMatchObject({ kind: 'none' });
  expect(rawTarget([own('c.test', { role: 'backup' })], ['c.test'])).toMatchObject({ kind: 'none' });
  expect(
    rawTarget([own('a.test'), own('c.test', { client: 'proxy-v1' })], ['a.test', 'c.test']),
  ).toMatchObject({
    kind: 'none',
  });
  for (const form of ['none', 'xclient'] as const)
    expect(rawTarget([own('a.test', { client: form })], ['a.test'])).toMatchObject({
      kind: 'none',
      why: expect.stringContaining(form),
    });
});

it('a greeting is judged by its code, as soon as it is there', () => {
  for (const text of ['', '2', '22', '5', '55']) expect([text, judgeGreeting(text)]).toEqual([text, 'more']);
  for (const text of ['220', '220 mx', '220-mx', '554 no'])
    expect([text, judgeGreeting(text)]).toEqual([text, 'talks']);
  for (const text of ['421 busy', '4', '250 ok', 'SSH', '23', '\0'])
    expect([text, judgeGreeting(text)]).toEqual([text, 'away']);
});
