import { fromUtf8, toHex } from '@copain/core';
import { expect, it } from 'vitest';
import { type ClientInfo, ipv6Bytes, isIp } from './client-info.ts';
import { proxyV1Header, proxyV2Header, xclientCommand } from './proxy-header.ts';

const client: ClientInfo = {
  ip: '203.0.113.9',
  port: 4660,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: 'mail.out.test',
  tls: false,
  esmtp: true,
};

it('writes PROXY protocol version 1 for both families, UNKNOWN for a mixed pair', () => {
  expect(fromUtf8(proxyV1Header(client))).toBe('PROXY TCP4 203.0.113.9 192.0.2.1 4660 25\r\n');
  const six = { ...client, ip: '2001:db8::1', serverIp: '2001:db8::25' };
  expect(fromUtf8(proxyV1Header(six))).toBe('PROXY TCP6 2001:db8::1 2001:db8::25 4660 25\r\n');
  expect(fromUtf8(proxyV1Header({ ...client, ip: '2001:db8::1' }))).toBe('PROXY UNKNOWN\r\n');
  expect(fromUtf8(proxyV1Header({ ...client, ip: '::ffff:203.0.113.9' }))).toMatch(
    /^PROXY TCP4 203\.0\.113\.9 /,
  );
});

it('writes PROXY protocol version 2, a mixed pair with mapped addresses', () => {
  const signature = '0d0a0d0a000d0a515549540a';
  expect(toHex(proxyV2Header(client))).toBe(`${signature}2111000ccb007109c000020112340019`);
  expect(toHex(proxyV2Header({ ...client, ip: '2001:db8::1' }))).toBe(
    `${signature}2121002420010db8000000000000000000000001${'0'.repeat(20)}ffffc000020112340019`,
  );
});

it('XCLIENT carries only what the MTA offers, as xtext', () => {
  expect(xclientCommand({ ...client, helo: 'a b+c=d\r\n' }, ['ADDR', 'HELO'])).toBe(
    'XCLIENT ADDR=203.0.113.9 HELO=a+20b+2Bc+3Dd+0D+0A',
  );
  expect(xclientCommand({ ...client, ip: '2001:db8::1' }, ['ADDR'])).toBe('XCLIENT ADDR=IPV6:2001:db8::1');
  expect(xclientCommand(client, ['NAME'])).toBeUndefined();
});

it('knows addresses from everything else', () => {
  for (const good of ['1.2.3.4', '::', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'])
    expect([good, isIp(good)]).toEqual([good, true]);
  for (const bad of [
    '',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4\r\n',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    'fe80::1%eth0',
    'g::',
  ])
    expect([bad, isIp(bad)]).toEqual([bad, false]);
  expect(ipv6Bytes('1::')?.slice(0, 2)).toEqual([0, 1]);
});
