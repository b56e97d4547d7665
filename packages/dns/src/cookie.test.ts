import { createHash } from 'node:crypto';
import { fromHex, toHex } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import { type CookieSecrets, judgeCookie, makeServerCookie, rotateSecrets } from './cookie.ts';
import { sipHash24 } from './siphash.ts';

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', '')) ?? new Uint8Array();
const address = (text: string): Uint8Array => parseIpv4(text) ?? parseIpv6(text) ?? new Uint8Array();
const secret = hex('e5e973e5a6b2a43f48e7dc849e37bfcf');
const client = hex('2464c4abcf10c957');

it('hashes as the authors of SipHash do (appendix A of their paper)', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const message = Uint8Array.from({ length: 15 }, (_, i) => i);
  expect(toHex(sipHash24(key, message))).toBe('e545be4961ca29a1');
  expect(toHex(sipHash24(key, new Uint8Array()))).toBe('310e0edd47db6f72');
});

it('makes the cookies of RFC 9018 appendix A.1 and A.2, so that servers of other makes take them', () => {
  const binding = { clientCookie: client, address: address('198.51.100.100') };
  expect(toHex(makeServerCookie(secret, binding, 1_559_731_985))).toBe('010000005cf79f111f8130c3eee29480');
  expect(toHex(makeServerCookie(secret, binding, 1_559_734_385))).toBe('010000005cf7a871d4a564a1442aca77');
});

it('takes a cookie made elsewhere, whatever its reserved octets (RFC 9018 appendix A.3)', () => {
  const cookie = hex('fc93fc62807ddb86 01abcdef5cf78f71a314227b6679ebf5');
  const at = { address: address('203.0.113.203'), nowS: 1_559_728_000 };
  expect(judgeCookie({ current: secret, previous: undefined }, cookie, at)).toBe('fresh');
});

it('knows the cookies of the secret before, of IPv6 clients too, and has them replaced (RFC 9018 appendix A.4)', () => {
  const secrets: CookieSecrets = { current: hex('dd3bdf9344b678b185a6f5cb60fca715'), previous: undefined };
  rotateSecrets(secrets, hex('445536bcd2513298075a5d379663c962'));
  const cookie = hex('22681ab97d52c298 010000005cf7c57926556bd0934c72f8');
  const at = { address: address('2001:db8:220:1:59de:d0f4:8769:82b8'), nowS: 1_559_741_961 };
  expect(judgeCookie(secrets, cookie, at)).toBe('renew');
  rotateSecrets(secrets, secret);
  expect(judgeCookie(secrets, cookie, at)).toBe('unknown');
});

const madeAtS = 1_700_000_000;
const here = address('192.0.2.1');
const made = (nowS = madeAtS): Uint8Array =>
  Uint8Array.of(...client, ...makeServerCookie(secret, { clientCookie: client, address: here }, nowS));
const judgeAt = (nowS: number, cookie = made(), from = here) =>
  judgeCookie({ current: secret, previous: undefined }, cookie, { address: from, nowS });

it('counts for an hour, is renewed after half of it, and may be five minutes early (RFC 9018 §4.3)', () => {
  expect(judgeAt(madeAtS)).toBe('fresh');
  expect(judgeAt(madeAtS + 1800)).toBe('fresh');
  expect(judgeAt(madeAtS + 1801)).toBe('renew');
  expect(judgeAt(madeAtS + 3600)).toBe('renew');
  expect(judgeAt(madeAtS + 3601)).toBe('unknown');
  expect(judgeAt(madeAtS - 300)).toBe('fresh');
  expect(judgeAt(madeAtS - 301)).toBe('unknown');
});

it('takes no cookie from another address, and none in which one bit differs', () => {
  expect(judgeAt(madeAtS, made(), address('192.0.2.2'))).toBe('unknown');
  fc.assert(
    fc.property(fc.nat(23), fc.nat(7), (at, bit) => {
      const changed = made();
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      expect(judgeAt(madeAtS, changed)).toBe('unknown');
    }),
  );
});

it('has no word for a client cookie alone, or for one of another length', () => {
  expect(judgeAt(madeAtS, client)).toBe('unknown');
  expect(judgeAt(madeAtS, createHash('sha256').update('x').digest())).toBe('unknown');
});
