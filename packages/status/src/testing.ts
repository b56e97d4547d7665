/**
 * Facts for tests: a box about which there is nothing to say.
 *
 *     const status = buildStatus(quietFacts({ name: 'alice', zones: [zone] }), nowMs);
 */
import type { FriendFacts, StatusFacts } from './facts.ts';

/** A member of a circle in which nothing happens, started in 1970; `more` is what is to be otherwise. */
export function quietFacts(more: Partial<StatusFacts> = {}): StatusFacts {
  return {
    name: 'alice',
    id: '12D3KooWalice',
    version: '0.1.0',
    startedAtMs: 0,
    address: { ipv4: undefined, ipv6: undefined, changedAtMs: undefined },
    clock: undefined,
    friends: [],
    zones: [],
    mail: [],
    takeovers: [],
    membership: { state: 'member', by: [], atMs: undefined },
    standing: { maySign: true, found: undefined, by: undefined, foundAtMs: undefined, waiting: [] },
    line: {
      state: 'ok',
      sentBytes: 0,
      receivedBytes: 0,
      sentBytesPerSecond: 0,
      receivedBytesPerSecond: 0,
      limitBytesPerSecond: undefined,
    },
    events: [],
    ...more,
  };
}

/** A friend who is well, heard at `nowMs` and for an hour before; `more` is what is to be otherwise. */
export function upFriend(name: string, nowMs: number, more: Partial<FriendFacts> = {}): FriendFacts {
  return {
    name,
    id: `12D3KooW${name}`,
    state: 'up',
    confirmed: true,
    sinceAtMs: nowMs - 3_600_000,
    lastHeardAtMs: nowMs,
    rttMs: 10,
    path: 'direct',
    via: undefined,
    seenDownBy: [],
    may: ['dns', 'mail'],
    offers: ['dns', 'mail'],
    version: '0.1.0',
    incompatible: undefined,
    tookForMe: undefined,
    ...more,
  };
}
