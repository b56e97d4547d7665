import { describe, expect, it } from 'vitest';
import type { FriendFacts, StatusFacts } from './facts.ts';
import { quietFacts, upFriend } from './testing.ts';
import { findTroubles } from './troubles.ts';

const nowMs = Date.UTC(2026, 10, 22, 12);
const hourMs = 3_600_000;

const facts = (more: Partial<StatusFacts> = {}): StatusFacts =>
  quietFacts({ startedAtMs: nowMs - 24 * hourMs, friends: [friend('bob'), friend('carol')], ...more });

const friend = (name: string, more: Partial<FriendFacts> = {}): FriendFacts => upFriend(name, nowMs, more);

const zone = (more: Partial<StatusFacts['zones'][number]>): StatusFacts['zones'][number] => ({
  origin: 'alice.example',
  owner: 'alice',
  role: 'primary',
  serial: 1,
  fileSerial: 1,
  expiresAtMs: nowMs + 1000 * hourMs,
  friends: [{ name: 'bob', serial: 1, heardAtMs: nowMs }],
  file: '/zones/alice.example.zone',
  problems: [],
  held: undefined,
  ...more,
});

const mail = (more: Partial<StatusFacts['mail'][number]>): StatusFacts['mail'][number] => ({
  domain: 'alice.example',
  owner: 'alice',
  role: 'primary',
  state: 'live',
  messages: 0,
  bytes: 0,
  oldestAtMs: undefined,
  alsoHeldBy: [],
  backups: ['bob'],
  ...more,
});

const keys = (more: Partial<StatusFacts>): string[] =>
  findTroubles(facts(more), nowMs).troubles.map(({ key }) => key);

describe('what is worth an alert', () => {
  it('is nothing where all is well, and where there is only something to do some day', () => {
    expect(findTroubles(facts(), nowMs)).toEqual({ troubles: [], unsure: [], blind: false });
    expect(keys({ friends: [] })).toEqual([]);
    expect(keys({ friends: [friend('bob', { may: [] })] })).toEqual([]);
  });

  it('is a friend who is down, agreed or not, and none who is away, slow, or heard by others', () => {
    const down = friend('bob', { state: 'down', seenDownBy: ['carol'] });
    const [bob] = findTroubles(facts({ friends: [down] }), nowMs).troubles;
    expect(bob).toMatchObject({
      key: 'friend/bob',
      text: 'bob is down, seen by carol.',
      over: 'bob is up again.',
      sinceMs: nowMs - hourMs,
      afterMs: 20_000,
    });
    expect(keys({ friends: [friend('bob', { state: 'down', confirmed: false })] })).toEqual(['friend/bob']);
    for (const state of ['away', 'slow', 'partial', 'up'] as const)
      expect(keys({ friends: [friend('bob', { state })] })).toEqual([]);
  });

  it('is not known of a friend who is not judged yet', () => {
    for (const state of ['unknown', 'suspect'] as const)
      expect(findTroubles(facts({ friends: [friend('bob', { state })] }), nowMs).unsure).toEqual([
        'friend/bob',
      ]);
  });

  it('is one’s own line, and then nobody else, for nobody is seen', () => {
    const found = findTroubles(
      facts({ line: { ...facts().line, state: 'cut' }, friends: [friend('bob', { state: 'down' })] }),
      nowMs,
    );
    expect(found.troubles.map(({ key }) => key)).toEqual(['line']);
    expect(found.blind).toBe(true);
    expect(findTroubles(facts({ startedAtMs: nowMs - 10_000 }), nowMs).blind).toBe(true);
  });

  it('is a zone with a mistake, one that nobody has, and one that is not refreshed, at 25, 50 and 75 %', () => {
    const mistake = { severity: 'error' as const, file: 'z', line: 1, column: 1, text: 'no SOA' };
    expect(keys({ zones: [zone({ problems: [mistake] })] })).toEqual(['zone/alice.example/mistake']);
    expect(keys({ zones: [zone({ friends: [] })] })).toEqual(['zone/alice.example/copies']);
    for (const agedPercent of [25, 50, 75, 100]) {
      const old = zone({ origin: 'bob.example', owner: 'bob', role: 'secondary', agedPercent });
      const [one] = findTroubles(facts({ zones: [old] }), nowMs).troubles;
      expect(one).toMatchObject({ stage: agedPercent, about: ['bob', 'bob.example'] });
    }
  });

  it('is mail that waits, that nobody would keep, or that the mail server refused; refused mail again when it doubled', () => {
    const waits = { messages: 3, oldestAtMs: nowMs - hourMs };
    expect(keys({ mail: [mail(waits)] })).toEqual(['mail/alice.example/waiting']);
    expect(keys({ mail: [mail({ ...waits, role: 'backup', owner: 'bob', domain: 'bob.example' })] })).toEqual(
      [],
    );
    expect(keys({ mail: [mail({ backups: [] })] })).toEqual(['mail/alice.example/backups']);
    const stages = [1, 2, 3, 4, 7, 8].map(
      (quarantined) => findTroubles(facts({ mail: [mail({ quarantined })] }), nowMs).troubles[0]?.stage,
    );
    expect(stages).toEqual([1, 2, 2, 3, 3, 4]);
  });

  it('is a canary that did not come back, a takeover, a full disk, a claim', () => {
    const id = 'mail.backup.alice.example.bob.canary';
    expect(
      keys({ mailTroubles: [{ id, text: 'The canary did not come back.', command: 'peer mail list' }] }),
    ).toEqual([`mail/${id}`]);
    const takeover = {
      owner: 'alice',
      service: 'web',
      name: 'www.alice.example',
      by: 'bob',
      sinceAtMs: nowMs,
      votes: [],
    };
    expect(keys({ takeovers: [{ ...takeover, how: 'agreed' }] })).toEqual(['takeover/web']);
    expect(keys({ takeovers: [{ ...takeover, how: 'drill' }] })).toEqual([]);
    expect(keys({ isDiskLow: true })).toEqual(['disk']);
    expect(
      keys({ claims: [{ name: 'a.alice.example', by: 'bob', other: 'alice.example', owner: 'alice' }] }),
    ).toEqual(['circle/claim/a.alice.example']);
  });

  it('is somebody who cannot be told of the address, after a while', () => {
    const failing = (sinceMs: number) => ({
      addressFailures: [{ to: 'home.dyn.example', sinceMs, text: 'no answer' }],
    });
    expect(keys(failing(nowMs - hourMs))).toEqual(['address/home.dyn.example']);
    expect(keys(failing(nowMs - 10_000))).toEqual([]);
  });

  it('is being out of the circle, and nothing else then', () => {
    const found = findTroubles(
      facts({ membership: { state: 'removed', by: ['bob'], atMs: undefined }, isDiskLow: true }),
      nowMs,
    );
    expect(found.troubles.map(({ key }) => key)).toEqual(['circle/out']);
  });

  it('is no way for alerts that fails: that is on the page', () => {
    expect(
      keys({ alertFailures: [{ to: 'ntfy://n/…', sinceMs: nowMs - hourMs, text: 'no answer' }] }),
    ).toEqual([]);
  });
});
