import { expect, it } from 'vitest';
import {
  admitConnection,
  admitProtocol,
  type GateView,
  isOurCopainOlder,
  type ProtocolName,
  protocols,
  protocolVersion,
  versionGap,
} from './gate.ts';

it('reads the version off a name of ours, and off no other', () => {
  expect(protocolVersion('/copain/sync/2')).toBe(2);
  for (const id of [
    '/copain/sync/',
    '/copain/sync/2x',
    '/ipfs/ping/1.0.0',
    '/copain/sync/2/3',
    '/copain/sync/1234567',
  ])
    expect(protocolVersion(id)).toBeUndefined();
});

it('every protocol has its versions newest first', () => {
  for (const ids of Object.values(protocols)) {
    const versions = ids.map(protocolVersion);
    expect(versions).toEqual(versions.toSorted((a, b) => (b ?? 0) - (a ?? 0)));
    expect(versions).not.toContain(undefined);
  }
});

it('one version in common is enough; none in common is a gap; whoever speaks nothing of ours is nobody to compare with', () => {
  const ours = ['/copain/sync/2', '/copain/sync/1'];
  expect(versionGap('sync', { ours, theirs: ['/copain/sync/1'] })).toBeUndefined();
  expect(
    versionGap('sync', { ours, theirs: ['/copain/sync/3', '/copain/sync/2', '/copain/zone/1'] }),
  ).toBeUndefined();
  expect(versionGap('sync', { ours, theirs: ['/ipfs/id/1.0.0'] })).toBeUndefined();
  const gap = versionGap('sync', { ours, theirs: ['/copain/sync/3', '/copain/sync/4'] });
  expect(gap).toEqual({ protocol: 'sync', ours: [2, 1], theirs: [4, 3] });
  expect(gap && isOurCopainOlder(gap)).toBe(true);
  const theirs = versionGap('sync', { ours: ['/copain/sync/5'], theirs: ours });
  expect(theirs && isOurCopainOlder(theirs)).toBe(false);
});

it('a former friend is let in to be told so, and may open nothing; with an invite he is a guest like others', () => {
  const view: GateView = {
    friends: new Set(['bob']),
    invitesAnswered: false,
    guests: 0,
    maxGuests: 1,
    isToBeTold: (peer) => peer === 'eve',
  };
  expect(admitConnection('bob', view)).toBe('friend');
  expect(admitConnection('eve', view)).toBe('former');
  expect(admitConnection('mallory', view)).toBe('nobody');
  expect(admitConnection('eve', { ...view, invitesAnswered: true })).toBe('guest');
  expect(admitConnection('eve', { ...view, invitesAnswered: true, guests: 1 })).toBe('former');
  for (const name of Object.keys(protocols) as ProtocolName[])
    expect([name, admitProtocol('former', name)]).toEqual([name, false]);
});
