import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  formatHostPort,
  ipv6Groups,
  isLoopback,
  isPrivate,
  parseHostPort,
  publicFamily,
} from './addresses.ts';
import { isName, visible, visibleJson } from './names.ts';

it('reads host and port, IPv6 in brackets only', () => {
  expect(parseHostPort('127.0.0.1:53')).toEqual({ host: '127.0.0.1', port: 53 });
  expect(parseHostPort('[2001:db8::25]:25')).toEqual({ host: '2001:db8::25', port: 25 });
  expect(parseHostPort('2001:db8::25:25')).toBeUndefined();
  expect(parseHostPort('host')).toBeUndefined();
  expect(parseHostPort('host:70000')).toBeUndefined();
  expect(formatHostPort({ host: '::1', port: 1 })).toBe('[::1]:1');
});

it('knows what the internet does not route', () => {
  for (const host of [
    '127.0.53.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '100.64.0.1',
    '::1',
    'fe80::1',
    'fd00::1',
    '::ffff:192.168.1.1',
    '0.0.0.0',
    '224.0.0.1',
  ])
    expect([host, isPrivate(host)]).toEqual([host, true]);
  for (const host of ['203.0.113.7', '172.32.0.1', '2001:db8::1', 'example.org', '100.128.0.1'])
    expect([host, isPrivate(host)]).toEqual([host, false]);
  expect(isLoopback('127.9.9.9')).toBe(true);
  expect(isLoopback('10.0.0.1')).toBe(false);
});

it('no IPv6 spelling of an inside address passes for an outside one', () => {
  for (const host of [
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:c0a8:101',
    '0000:0000::0001',
    '::127.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:c0a8:101::1',
    'FE80::1%eth0',
    'fec0::1',
    'ff02::1',
    '::',
    'LOCALHOST',
  ])
    expect([host, isPrivate(host)]).toEqual([host, true]);
  for (const host of ['::ffff:203.0.113.7', '2002:cb00:7107::1', '64:ff9b::203.0.113.7', '2a02::1'])
    expect([host, isPrivate(host)]).toEqual([host, false]);
});

it('an IPv6 address is eight groups, however it is written', () => {
  expect(ipv6Groups('2001:db8::25')).toEqual([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25]);
  expect(ipv6Groups('::')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(ipv6Groups('::ffff:1.2.3.4')).toEqual([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304]);
  for (const bad of ['1::2::3', '1:2:3', '1:2:3:4:5:6:7:8:9', 'g::1', '12345::1', 'host', '::1.2.3.400'])
    expect([bad, ipv6Groups(bad)]).toEqual([bad, undefined]);
});

it('only an address that the internet routes has a public family', () => {
  expect(['203.0.113.7', '2001:db8::1'].map(publicFamily)).toEqual(['ipv4', 'ipv6']);
  const others = [
    '192.168.1.5',
    '127.0.0.1',
    'fe80::1%eth0',
    '2001:db8::1%eth0',
    'fd00::1',
    'home.example',
    '',
  ];
  expect(others.map(publicFamily)).toEqual(others.map(() => undefined));
});

it('names are short, lower case and harmless', () => {
  expect(isName('alice')).toBe(true);
  expect(isName('box-4')).toBe(true);
  for (const bad of ['', '-a', 'a-', 'Alice', 'a.b', 'a'.repeat(33), 'a b', '__proto__'])
    expect(isName(bad)).toBe(false);
});

it('JSON that is looked at cannot either, and says the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visibleJson(JSON.stringify({ text }));
      expect(shown).not.toMatch(/\p{Cc}|\p{Bidi_Control}|[\u200b-\u200f\u2060-\u206f\ufeff]/u);
      expect(JSON.parse(shown)).toEqual({ text });
    }),
  );
});

it('text from outside cannot move the cursor, turn the line round or fill the screen', () => {
  expect(visible('\u001b[31mred')).toBe('\\u{1b}[31mred');
  expect(visible('a\u202eb\u200bc\r\n')).toBe('a\\u{202e}b\\u{200b}c\\u{d}\\u{a}');
  expect(visible('x'.repeat(10_000)).length).toBe(201);
});
