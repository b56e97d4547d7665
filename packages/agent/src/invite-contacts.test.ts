import { expect, it } from 'vitest';
import { inviteContacts, inviteWarning } from './invite-contacts.ts';

const own = { peer: 'alice', address: '198.51.100.1:4853' };
const bob = { peer: 'bob', address: '198.51.100.2:4853', wasDialled: false };
const carol = { peer: 'carol', address: '198.51.100.3:4853', wasDialled: false };
const dave = { peer: 'dave', address: '203.0.113.4:4853', wasDialled: true };
const eve = { peer: 'eve', address: undefined, wasDialled: true };

it('a code names the inviter, and before all others those who were dialled', () => {
  const named = inviteContacts(own, [bob, carol, eve, dave]).map(({ peer }) => peer);
  expect(named).toEqual(['alice', 'dave', 'bob']);
  expect(inviteContacts(own, [])).toEqual([own]);
});

it('an inviter behind NAT is warned where nobody in the code is known to be dialable, and only there', () => {
  const known = { reachable: false, wasDialled: (peer: string) => peer === 'dave', forOwnBox: false };
  expect(inviteWarning(inviteContacts(own, [bob]), known)).toMatch(/not work from outside.*doctor net/);
  expect(inviteWarning(inviteContacts(own, [bob, dave]), known)).toBeUndefined();
  for (const reachable of [true, undefined])
    expect(inviteWarning([own], { ...known, reachable })).toBeUndefined();
  const forBox = inviteWarning([own], { ...known, forOwnBox: true });
  expect(forBox).toContain('only this one lets the new box in');
  expect(forBox).not.toContain('let a friend');
});

it('an address of the own network is pointed out, loopback is not', () => {
  const known = { reachable: undefined, wasDialled: () => false, forOwnBox: false };
  const at = (address: string) => inviteWarning([{ peer: 'alice', address }], known);
  expect(at('192.168.1.2:4853')).toContain('192.168.1.2:4853');
  expect(at('127.0.0.1:4853')).toBeUndefined();
  expect(at('203.0.113.1:4853')).toBeUndefined();
});
