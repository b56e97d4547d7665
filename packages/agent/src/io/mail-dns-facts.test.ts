import { createAnswerer, loadZone, nameOf } from '@copain/dns';
import { sha1, startDnsServer } from '@copain/dns/io';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mailDnsChecks } from '../doctor-mail-dns.ts';
import { mailDnsFacts } from './mail-dns-facts.ts';
import { type MailLookups, mailLookups } from './mail-lookups.ts';

const key = 'ab'.repeat(32);
const text = `$TTL 300
@ SOA ns hostmaster 1 4h 1h 2w 60
@ NS ns
ns A 192.0.2.53
@ MX 20 MX2
@ MX 10 mail
@ TXT "v=spf1 " "mx -all"
@ TXT "something else"
mail A 192.0.2.1
mail AAAA 2001:db8::1
mx2 A 198.51.100.2
_25._tcp.mx2 TLSA 3 1 1 ${key}
`;
const stopping = new AbortController();
let lookups: MailLookups;
let server: Awaited<ReturnType<typeof startDnsServer>>;

beforeAll(async () => {
  const { zone } = loadZone({ text, file: 'z', origin: nameOf('alice.example') });
  const answerer = createAnswerer(zone ? [{ zone, expired: false }] : [], { sha1 });
  server = await startDnsServer({
    listen: [{ host: '127.0.0.1', port: 0 }],
    answer: (query, asker) => answerer.answer(query, asker),
  });
  lookups = mailLookups({
    listening: () => server.addresses(),
    origins: () => ['alice.example'],
    stopping: stopping.signal,
  });
});
afterAll(async () => {
  stopping.abort();
  await server[Symbol.asyncDispose]();
});

const tls = { spkiSha256: key, fitsName: true, untrusted: undefined, validToMs: 0 };
const seen = (hostname: string) => ({
  door: { hostname, shared: ['0.0.0.0:25'], raw: [] },
  serverName: undefined,
  tls,
});
const bob = { friend: 'bob', seen: seen('mx.bob.example'), addresses: ['198.51.100.2:4853'] };

it('the zone as this box serves it is asked for its own names, and an MX is a friend’s by his address', async () => {
  const { askedOf, published } = await mailDnsFacts('alice.example', [bob], lookups, stopping.signal);
  expect(askedOf).toBe('the zone as this box serves it');
  expect(published.mx).toEqual([
    { exchange: 'mail.alice.example', preference: 10, addresses: ['192.0.2.1', '2001:db8::1'] },
    { exchange: 'mx2.alice.example', preference: 20, addresses: ['198.51.100.2'] },
  ]);
  expect([...published.friendOf]).toEqual([['mx2.alice.example', 'bob']]);
  expect(published.spf).toEqual(['v=spf1 mx -all']);
  expect(published.sts).toEqual([]);
  expect(published.tlsa.get('mx2.alice.example')).toEqual([{ usage: 3, selector: 1, match: 1, data: key }]);
});

it('or by the name that he gives himself; and what fits is well', async () => {
  const named = { ...bob, seen: seen('MX2.alice.example'), addresses: [] };
  const facts = await mailDnsFacts('alice.example', [named], lookups, stopping.signal);
  expect(mailDnsChecks(facts)).toMatchObject([{ ok: true }]);
  const other = { ...bob, seen: seen('mx.bob.example'), addresses: ['203.0.113.2:4853'] };
  const wrong = await mailDnsFacts('alice.example', [other], lookups, stopping.signal);
  expect(mailDnsChecks(wrong).map(({ id }) => id)).toEqual(['mail.dns.alice.example.mx']);
});

it('a name that is not there has no records; one that nobody can be asked about is no finding', async () => {
  expect(await lookups.mx('gone.alice.example')).toEqual({ records: [], by: 'zone' });
  const silent = mailLookups({
    listening: () => [{ host: '127.0.0.1', port: 1 }],
    origins: () => ['alice.example'],
    stopping: stopping.signal,
  });
  const facts = await mailDnsFacts('alice.example', [bob], silent, stopping.signal);
  expect(facts.published.mx).toBeUndefined();
  expect(mailDnsChecks(facts)).toMatchObject([{ ok: null }]);
});
