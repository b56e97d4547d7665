import { expect, it } from 'vitest';
import { probeAddresses } from './probe-addresses.ts';

const door = { hostname: 'mx.bob.example', shared: ['0.0.0.0:25'], raw: [] as string[] };
const mx = (exchange: string, ...addresses: string[]) => ({ exchange, preference: 20, addresses });
const found = (options: Partial<Parameters<typeof probeAddresses>[0]>) =>
  probeAddresses({ mx: [], door, hosts: ['198.51.100.2'], allowPrivate: false, ...options }).map(
    ({ address, serverName, raw }) => [`${address.host} ${address.port}`, serverName, raw],
  );

it('an MX is the friend’s by his name or by his address, and asked as any sender would', () => {
  const others = [mx('mx.alice.example', '192.0.2.1'), mx('mx.carol.example', '203.0.113.3')];
  expect(found({ mx: [...others, mx('mx.bob.example', '198.51.100.7')] })).toEqual([
    ['198.51.100.7 25', 'mx.bob.example', false],
  ]);
  expect(found({ mx: [...others, mx('mx2.alice.example', '198.51.100.2')] })).toEqual([
    ['198.51.100.2 25', 'mx2.alice.example', false],
  ]);
});

it('where no MX is his he is asked where he says that he listens', () => {
  expect(found({ mx: [mx('mx.alice.example', '192.0.2.1')] })).toEqual([
    ['198.51.100.2 25', undefined, false],
  ]);
  expect(found({ door: { ...door, shared: ['203.0.113.9:25'] } })).toEqual([
    ['203.0.113.9 25', undefined, false],
  ]);
  expect(found({ hosts: [] })).toEqual([]);
});

it('nobody leads this box to an address inside, or to another port', () => {
  expect(found({ mx: [mx('mx.bob.example', '127.0.0.1', '192.168.1.1', '::1')] })).toEqual([
    ['198.51.100.2 25', undefined, false],
  ]);
  expect(found({ hosts: ['10.0.0.1'] })).toEqual([]);
  expect(found({ door: { ...door, shared: ['127.0.0.1:25', '198.51.100.2:5432', 'router.lan'] } })).toEqual(
    [],
  );
  const lan = { ...door, shared: ['127.0.53.2:2525'] };
  expect(found({ door: lan, allowPrivate: true })).toEqual([['127.0.53.2 2525', undefined, false]]);
});

it('an address that goes to our own server as it is, or may, is marked: no canary goes there', () => {
  const raw = { ...door, raw: ['198.51.100.7:25'] };
  expect(found({ door: raw, mx: [mx('mx2.alice.example', '198.51.100.7', '198.51.100.2')] })).toEqual([
    ['198.51.100.7 25', 'mx2.alice.example', true],
    ['198.51.100.2 25', 'mx2.alice.example', false],
  ]);
  expect(found({ door: { ...door, raw: ['192.168.1.5:25'] } })).toEqual([
    ['198.51.100.2 25', undefined, true],
  ]);
});
