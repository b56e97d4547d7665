import { probeTargetsMax } from '@copain/mail';
import { expect, it } from 'vitest';
import { seenBackups } from './seen-backups.ts';

const door = (hostname: string) => ({
  door: { hostname, shared: [], raw: [] },
  serverName: undefined,
  tls: undefined,
});

it('what was seen of a backup is replaced when it is asked again, and told apart by domain and box', () => {
  const seen = seenBackups();
  seen.note({ domain: 'a.test', peer: 'bob' }, door('old'));
  seen.note({ domain: 'a.test', peer: 'bob' }, door('new'));
  seen.note({ domain: 'b.test', peer: 'bob' }, door('other'));
  expect(seen.of('a.test', 'bob')?.door.hostname).toBe('new');
  expect(seen.of('b.test', 'bob')?.door.hostname).toBe('other');
  expect(seen.of('a.test', 'carol')).toBeUndefined();
});

it('of more backups than are asked at once those that were asked longest ago are forgotten', () => {
  const seen = seenBackups();
  for (let i = 0; i < probeTargetsMax; i += 1) seen.note({ domain: `d${i}.test`, peer: 'bob' }, door('mx'));
  seen.note({ domain: 'd0.test', peer: 'bob' }, door('again'));
  seen.note({ domain: 'one-more.test', peer: 'bob' }, door('mx'));
  expect(seen.of('d0.test', 'bob')?.door.hostname).toBe('again');
  expect(seen.of('d1.test', 'bob')).toBeUndefined();
  expect(seen.of('d2.test', 'bob')).toBeDefined();
  expect(seen.of('one-more.test', 'bob')).toBeDefined();
});
