import { expect, it } from 'vitest';
import { plainAddress } from './plain-address.ts';

it.each([
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:DB8:0::0025', '2001:db8::25'],
  ['192.0.2.1', '192.0.2.1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['ns.home.example', 'ns.home.example'],
  ['1:2', '1:2'],
])('%s is %s for sockets', (host, plain) => {
  expect(plainAddress(host)).toBe(plain);
});
