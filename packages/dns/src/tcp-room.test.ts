import { expect, it } from 'vitest';
import { networkOf } from './rate-limit.ts';
import { whoMakesRoom } from './tcp-room.ts';

const from = (source: string) => ({ source, network: networkOf(source) });
const room = { connections: 6, connectionsPerSource: 2, connectionsPerNetwork: 4 };
const first = [from('192.0.2.1'), from('198.51.100.1'), from('192.0.2.2')];

it('lets a newcomer in while there is room', () => {
  expect(whoMakesRoom(first, from('192.0.2.1'), room)).toBeUndefined();
});

it('closes the longest idle connection of the same address, then network, then of all', () => {
  const ownOld = from('192.0.2.1');
  expect(whoMakesRoom([...first, ownOld], from('192.0.2.1'), room)).toBe(first[0]);
  const network = [...first, from('192.0.2.3'), from('192.0.2.4')];
  expect(whoMakesRoom(network, from('192.0.2.5'), room)).toBe(first[0]);
  expect(whoMakesRoom(network, from('203.0.113.1'), room)).toBeUndefined();
  const full = [from('198.51.100.9'), ...network];
  expect(whoMakesRoom(full, from('203.0.113.1'), room)).toBe(full[0]);
});

it('counts loopback by address only', () => {
  const local = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'].map(from);
  expect(whoMakesRoom(local, from('127.0.0.6'), room)).toBeUndefined();
});
