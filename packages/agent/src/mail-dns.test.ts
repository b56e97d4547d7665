import type { SeenTls } from '@copain/mail';
import { expect, it } from 'vitest';
import { mailDnsChecks } from './doctor-mail-dns.ts';
import {
  fittingRecords,
  type MailBackup,
  type PublishedMail,
  parseStsPolicy,
  policyNames,
  type StsPolicy,
} from './mail-dns.ts';

const domain = 'alice.example';
const tls: SeenTls = { spkiSha256: 'ab'.repeat(32), fitsName: true, untrusted: undefined, validToMs: 0 };
const bob: MailBackup = { friend: 'bob', hostname: 'mx.bob.example', tls };
const mx = (preference: number, exchange: string, ...addresses: string[]) => ({
  preference,
  exchange,
  addresses,
});
const good: PublishedMail = {
  mx: [mx(5, 'mail.alice.example', '192.0.2.1'), mx(7, 'mx.bob.example', '198.51.100.2')],
  friendOf: new Map([['mx.bob.example', 'bob']]),
  sts: [],
  policy: undefined,
  tlsa: new Map([['mx.bob.example', []]]),
  spf: [],
};
const fitting = (published: Partial<PublishedMail> = {}, backups: readonly MailBackup[] = [bob]) =>
  fittingRecords({
    domain,
    backups,
    published: { ...good, ...published },
    address: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' },
    policyId: () => '20260101',
  });
const lines = (of: ReturnType<typeof fitting>) =>
  of.records.map(({ name, type, data, published }) => [`${name} ${type} ${data}`, published]);

it('what is published in a good order is taken over, with addresses, policy and keys beside it', () => {
  expect(lines(fitting())).toEqual([
    ['alice.example MX 5 mail.alice.example.', true],
    ['alice.example MX 7 mx.bob.example.', true],
    ['mail.alice.example A 192.0.2.1', true],
    ['mail.alice.example AAAA 2001:db8::1', false],
    ['_mta-sts.alice.example TXT "v=STSv1; id=20260101"', false],
    [`_25._tcp.mx.bob.example TLSA 3 1 1 ${tls.spkiSha256}`, false],
  ]);
  const [key] = fitting({
    sts: ['v=STSv1; id=20260101;'],
    tlsa: new Map([['mx.bob.example', [{ usage: 3, selector: 1, match: 1, data: tls.spkiSha256 }]]]),
  }).records.slice(-1);
  expect(key?.published).toBe(true);
});

it('a friend who is preferred to one’s own server is put behind it, and missing ones are added', () => {
  const turned = fitting({ mx: [mx(20, 'mail.alice.example', '192.0.2.1'), mx(10, 'mx.bob.example')] });
  expect(lines(turned).slice(0, 2)).toEqual([
    ['alice.example MX 10 mail.alice.example.', false],
    ['alice.example MX 20 mx.bob.example.', false],
  ]);
  const none = fitting({ mx: [], friendOf: new Map() });
  expect(lines(none).slice(0, 2)).toEqual([
    ['alice.example MX 10 mx.alice.example.', false],
    ['alice.example MX 20 mx.bob.example.', false],
  ]);
  expect(lines(fitting({ mx: undefined, friendOf: new Map() }))[0]?.[1]).toBeNull();
});

it('the policy names every host, and is enforced only where it is already and every certificate fits', () => {
  const { policy } = fitting();
  expect(policy.url).toBe('https://mta-sts.alice.example/.well-known/mta-sts.txt');
  expect(parseStsPolicy(policy.text)).toEqual({
    mode: 'testing',
    mx: ['mail.alice.example', 'mx.bob.example'],
  });
  const enforced: StsPolicy = { mode: 'enforce', mx: [] };
  expect(fitting({ policy: enforced }).policy.text).toContain('mode: enforce\r\n');
  for (const change of [undefined, { ...tls, fitsName: false }, { ...tls, untrusted: 'SELF_SIGNED' }])
    expect(fitting({ policy: enforced }, [{ ...bob, tls: change }]).policy.text).toContain(
      'mode: testing\r\n',
    );
});

it('hints tell of friends who could not be asked, of TLS that senders do not trust, and of SPF', () => {
  expect(fitting({}, [{ ...bob, hostname: undefined }]).hints[0]).toContain('bob could not be asked');
  expect(fitting({}, [{ ...bob, tls: undefined }]).hints[0]).toContain('in clear');
  expect(fitting({}, [{ ...bob, tls: { ...tls, fitsName: false } }]).hints[0]).toContain(
    'not for mx.bob.example',
  );
  expect(fitting({ spf: ['v=spf1 mx -all'] }).hints.at(-1)).toContain('a:mail.alice.example');
  expect(fitting().hints).toEqual([
    'SPF needs nothing for friends: they never send in the name of alice.example',
  ]);
});

it('a policy file is read as RFC 8461 has it, and what is none is none', () => {
  expect(parseStsPolicy('version: STSv1\nmode: enforce\nmx: MX.a.test\nmx: *.b.test\nmax_age: 1\n')).toEqual({
    mode: 'enforce',
    mx: ['mx.a.test', '*.b.test'],
  });
  for (const text of [
    '',
    'mode: enforce\n',
    'version: STSv2\nmode: none\n',
    '<html>',
    'version: STSv1\nmode: x',
  ])
    expect(parseStsPolicy(text)).toBeUndefined();
  const policy: StsPolicy = { mode: 'enforce', mx: ['mx.a.test', '*.b.test'] };
  const named = ['mx.a.test', 'x.b.test'].map((host) => policyNames(policy, host));
  const others = ['a.test', 'b.test', 'y.x.b.test', 'xb.test'].map((host) => policyNames(policy, host));
  expect([...named, ...others]).toEqual([true, true, false, false, false, false]);
});

const found = (published: Partial<PublishedMail> = {}, backups: readonly MailBackup[] = [bob]) =>
  mailDnsChecks({ domain, askedOf: 'the resolver', backups, published: { ...good, ...published } });

it('what is published well is one line', () => {
  expect(found()).toEqual([
    {
      id: 'mail.dns.alice.example',
      ok: true,
      text: 'MX of alice.example: 5 mail.alice.example, 7 mx.bob.example (the resolver).',
      hint: null,
    },
  ]);
  expect(found({ mx: undefined })[0]?.ok).toBeNull();
});

it('each mistake of MX records is a finding', () => {
  const texts = (published: Partial<PublishedMail>, backups?: readonly MailBackup[]) =>
    found(published, backups).map(({ ok, text, hint }) => {
      expect([ok, hint]).toEqual([false, 'peer mail dns alice.example']);
      return text;
    });
  expect(texts({ mx: [] })[0]).toContain('has no MX record');
  expect(texts({ mx: [mx(10, 'mail.alice.example', '192.0.2.1')], friendOf: new Map() })[0]).toContain(
    'no MX record leads to him',
  );
  expect(texts({ mx: [mx(7, 'mx.bob.example', '198.51.100.2')] })[0]).toContain('all mail goes to friends');
  const same = [mx(10, 'mail.alice.example', '192.0.2.1'), mx(10, 'mx.bob.example', '198.51.100.2')];
  expect(texts({ mx: same })[0]).toContain('senders try him first');
  const unasked = { preference: 20, exchange: 'mx.bob.example', addresses: undefined };
  expect(found({ mx: [mx(10, 'mail.alice.example', '192.0.2.1'), unasked] })[0]?.ok).toBe(true);
  const gone = [mx(10, 'mail.alice.example'), mx(20, 'mx.bob.example', '198.51.100.2')];
  expect(texts({ mx: gone })).toEqual(['mail.alice.example, an MX of alice.example, has no address.']);
});

it('a policy or a key that makes senders refuse a backup is a finding', () => {
  const sts = ['v=STSv1; id=1'];
  expect(found({ sts })[0]?.text).toContain('gets none from https://mta-sts.alice.example');
  const half: StsPolicy = { mode: 'enforce', mx: ['mail.alice.example'] };
  expect(found({ sts, policy: half })[0]?.text).toContain('does not name mx.bob.example');
  expect(found({ sts, policy: { ...half, mode: 'testing' } })[0]).toMatchObject({
    ok: true,
    text: expect.stringContaining('MTA-STS testing'),
  });
  const whole: StsPolicy = { mode: 'enforce', mx: ['mail.alice.example', '*.bob.example'] };
  expect(found({ sts, policy: whole })[0]?.ok).toBe(true);
  const bad = [{ ...bob, tls: { ...tls, untrusted: 'CERT_HAS_EXPIRED' } }];
  expect(found({ sts, policy: whole }, bad)[0]?.text).toContain('no certificate for its name');
  const keyed = (data: string, usage = 3) =>
    found({ tlsa: new Map([['mx.bob.example', [{ usage, selector: 1, match: 1, data }]]]) })[0];
  expect(keyed('cd'.repeat(32))?.text).toContain('are not for the key that bob showed');
  expect(keyed(tls.spkiSha256)?.ok).toBe(true);
  expect(keyed('cd'.repeat(32), 2)?.ok).toBe(true);
});
