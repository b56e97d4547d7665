import type { FriendFacts } from '@copain/liveness';
import { expect, it } from 'vitest';
import { bestBox, rememberedState } from './friend-state.ts';

const alive = (peer: string, state: FriendFacts['state']): [string, FriendFacts] => [
  peer,
  { peer, state, confirmed: true, sinceAtMs: 0, lastHeardAtMs: 0, silentSinceMs: 0, seenDownBy: [] },
];
const box = (peer: string) => ({ peer, name: peer, roles: [], sealTo: '' });

it('a person is as well as his best box', () => {
  const member = { boxes: [box('server'), box('laptop'), box('new')] };
  expect(bestBox(member, new Map([alive('server', 'down'), alive('laptop', 'slow')]))?.box.peer).toBe(
    'laptop',
  );
  expect(bestBox(member, new Map([alive('server', 'down')]))?.box.peer).toBe('server');
  expect(bestBox({ boxes: [] }, new Map())).toBeUndefined();
});

it('a silence counts from when it is looked into, and planned absence is remembered as that', () => {
  const away = { sinceMs: 0, untilMs: undefined, note: undefined };
  expect(rememberedState('suspect', undefined)).toBe('down');
  expect(rememberedState('down', away)).toBe('away');
  expect(rememberedState('slow', away)).toBe('slow');
  expect(rememberedState('unknown', undefined)).toBeUndefined();
});
