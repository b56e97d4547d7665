import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesInEvents, redactConfig, redactDocument, redactor } from './redact.ts';

const redact = redactor({ own: 'alice', friends: ['bob', 'bob-2', 'web'] });

describe('a report', () => {
  it.each([
    ['bob is down, seen by bob-2.', 'friend-1 is down, seen by friend-2.'],
    ['Bob-2 and bobby', 'friend-1 and bobby'],
    ['alice.example is held by nobody.', 'name-1 is held by nobody.'],
    ['Friends see this box at 203.0.113.7.', 'Friends see this box at ip-1.'],
    ['203.0.113.7:53 and 2001:db8::7 and [2001:db8:0:1:2:3:4:5]:25', 'ip-1:53 and ip-2 and [ip-3]:25'],
    ['127.0.0.1:2525 does not answer', '127.0.0.1:2525 does not answer'],
    ['anna@alice.example', 'address-1'],
    ['https://hooks.example/T0/secret?x=1, again', 'url-1, again'],
    ['12D3KooWFqaoAaYN7A3aHPCYnUu7tR2fqYQwM2dm4j6iuRLDcKMN', 'id-1'],
    ['/home/anna/peer/zones/a.zone:3:1: no SOA', 'path-1:3:1: no SOA'],
    [
      'peer.toml:3:1, docs/alerts.md, /copain/sync/1, and/or',
      'peer.toml:3:1, docs/alerts.md, /copain/sync/1, and/or',
    ],
    [
      'at 2026-11-22T20:14:07.123Z or 20:14:07 for 12 min, 0.1.0',
      'at 2026-11-22T20:14:07.123Z or 20:14:07 for 12 min, 0.1.0',
    ],
    ['alice (me)', 'me (me)'],
  ])('%s → %s', (text, shown) => {
    expect(redactor({ own: 'alice', friends: ['bob', 'bob-2'] })(text)).toBe(shown);
  });

  it('calls the same thing by the same placeholder, and others by others', () => {
    expect(redact('b.example a.example b.example')).toBe('name-1 name-2 name-1');
  });

  it('knows from events who was here before', () => {
    expect(
      namesInEvents([
        { kind: 'friend.joined', text: 'bob is in the circle, admitted by carol.' },
        { kind: 'friend.removed', text: 'dave was removed from the circle by erin on 2026-11-22.' },
        {
          kind: 'friend.removal-proposed',
          text: 'frank removed grace for himself. It counts for the circle when one more member does.',
        },
        { kind: 'friend.renamed', text: 'heidi is called ivan on this box from now on.' },
        {
          kind: 'friend.removed',
          text: 'You were removed from the circle by judy: friends give this box nothing any more.',
        },
        { kind: 'zone.updated', text: 'zone is no name' },
      ]).toSorted(),
    ).toEqual(['bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy']);
  });

  it('keeps words of its own, and nothing that somebody wrote', () => {
    const document = {
      kind: 'zone.updated',
      state: 'up',
      by: 'bob',
      text: 'bob',
      note: 'in Rome until May',
      at: null,
      n: 1,
    };
    expect(
      redactDocument([document, { by: 'operator' }], redactor({ own: 'alice', friends: ['bob'] })),
    ).toEqual([
      { kind: 'zone.updated', state: 'up', by: 'friend-1', text: 'friend-1', note: '(text)', at: null, n: 1 },
      { by: 'operator' },
    ]);
  });

  it('keeps no note of an absence, and the names of checks', () => {
    const away = { kind: 'friend.away', text: 'bob is away until 2026-12-06: in Rome, at my sister’s' };
    expect(
      redactDocument(
        [away, { id: 'disk.free' }, { id: 'disk.ok' }, { id: 'bob.example' }],
        redactor({ own: 'alice', friends: ['bob'] }),
      ),
    ).toEqual([
      { kind: 'friend.away', text: 'friend-1 is away until 2026-12-06.' },
      { id: 'disk.free' },
      { id: 'disk.ok' },
      { id: 'name-1' },
    ]);
  });

  it('shows of the configuration which keys are set, and settings that tell nothing', () => {
    const config = {
      name: 'alice',
      dns: { listen: ['0.0.0.0:53', '198.51.100.7:53'], workers: 2, nsid: 'my rack' },
      line: { up: '128kbit' },
      mail: [{ domain: 'alice.example', deliver: '127.0.0.1:2525', client: 'proxy-v2' }],
      alert: [{ to: 'ntfy://ntfy.example/secret' }, { to: 'exec:/home/anna/tell' }],
      address: { hook: ['/usr/bin/tell', 'my password'] },
    };
    expect(redactConfig(config, redactor({ own: 'alice', friends: [] }))).toEqual({
      name: 'me',
      dns: { listen: ['0.0.0.0:53', 'ip-1:53'], workers: 2, nsid: '(text)' },
      line: { up: '128kbit' },
      mail: [{ domain: 'name-1', deliver: '127.0.0.1:2525', client: 'proxy-v2' }],
      alert: [{ to: 'url-1' }, { to: '(text)' }],
      address: { hook: ['path-2', '(text)'] },
    });
  });

  it('has nothing in it that tells who somebody is, whatever sentence it stands in', () => {
    const label = fc
      .stringMatching(/^[a-z][a-z0-9]{2,8}$/)
      .filter((text) => !/^(?:name|friend|url|path|address|says|and|box|down)/.test(text));
    const secrets = fc.oneof(
      fc.tuple(label, label).map(([a, b]) => `${a}.${b}.example`),
      fc.tuple(label, label).map(([a, b]) => `${a}@${b}.example`),
      fc.ipV4().filter((ip) => !/^(?:127|0)\./.test(ip)),
      fc
        .ipV6()
        .filter((ip) => ip.split(':').length >= 5 || ip.includes('::'))
        .filter((ip) => !/^::1?$/.test(ip)),
      label.map((name) => `/home/${name}/peer`),
      label.map((name) => `https://${name}.example/${name}`),
    );
    fc.assert(
      fc.property(secrets, label, (secret, friend) => {
        const shown = redactor({ own: 'alice', friends: [friend] })(
          `${friend} says "${secret}" (${secret}): ${secret}, and ${friend}'s box is down.`,
        );
        expect(shown).not.toContain(secret);
        expect(shown).toMatch(
          /^friend-1 says "[a-z]+-\d+" \([a-z]+-\d+\): [a-z]+-\d+, and friend-1's box is down\.$/,
        );
      }),
    );
  });
});
