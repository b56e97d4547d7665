import { concatBytes } from '@copain/core';
import { clientCookieBytes, serverCookieBytes } from './edns.ts';
import { cookieAheadMaxS, cookieLifeS, cookieRenewS } from './limits.ts';
import { sipHash24 } from './siphash.ts';

/**
 * What server cookies are made with: 16 random octets each. After a rotation cookies of the one before still count, so
 * that no client is turned away. Kept in memory only: after a restart clients are given new cookies.
 */
export interface CookieSecrets {
  current: Uint8Array;
  previous: Uint8Array | undefined;
}

/** A rotation, at every `cookieRotateMs`, by whoever holds the random numbers. */
export function rotateSecrets(secrets: CookieSecrets, fresh: Uint8Array): void {
  secrets.previous = secrets.current;
  secrets.current = fresh;
}

/** What a cookie is bound to (RFC 9018 §4.4): the client's own cookie and its address, 4 or 16 octets. */
export interface CookieBinding {
  clientCookie: Uint8Array;
  address: Uint8Array;
}

/** The server cookie of RFC 9018 §4: version 1, three reserved octets, a time, and SipHash-2-4 over all of it. */
export function makeServerCookie(secret: Uint8Array, binding: CookieBinding, nowS: number): Uint8Array {
  const head = new Uint8Array(8);
  head[0] = 1;
  new DataView(head.buffer).setUint32(4, nowS >>> 0);
  return concatBytes(head, cookieHash(secret, binding, head));
}

function cookieHash(
  secret: Uint8Array,
  { clientCookie, address }: CookieBinding,
  head: Uint8Array,
): Uint8Array {
  const bound = new Uint8Array(16 + address.length);
  bound.set(clientCookie);
  bound.set(head, 8);
  bound.set(address, 16);
  return sipHash24(secret, bound);
}

/**
 * What a cookie option is worth. `fresh`: made here lately, and may be sent back as it is; `renew`: made here, to be
 * replaced (RFC 9018 §4.3: after half an hour); `unknown`: everything else, a client that has no server cookie yet too.
 */
export function judgeCookie(
  secrets: CookieSecrets,
  cookie: Uint8Array,
  { address, nowS }: { address: Uint8Array; nowS: number },
): 'fresh' | 'renew' | 'unknown' {
  if (cookie.length !== clientCookieBytes + serverCookieBytes) return 'unknown';
  const head = cookie.subarray(clientCookieBytes, clientCookieBytes + 8);
  if (head[0] !== 1) return 'unknown';
  // RFC 1982 arithmetic, as the time is 32 bits wide.
  const ageS =
    (nowS - (((head[4] ?? 0) << 24) | ((head[5] ?? 0) << 16) | ((head[6] ?? 0) << 8) | (head[7] ?? 0))) | 0;
  if (ageS > cookieLifeS || ageS < -cookieAheadMaxS) return 'unknown';
  const binding = { clientCookie: cookie.subarray(0, clientCookieBytes), address };
  const hash = cookie.subarray(clientCookieBytes + 8);
  if (sameOctets(cookieHash(secrets.current, binding, head), hash))
    return ageS > cookieRenewS ? 'renew' : 'fresh';
  const older = secrets.previous;
  return older && sameOctets(cookieHash(older, binding, head), hash) ? 'renew' : 'unknown';
}

/** In a time that does not tell how many octets were right. */
function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  let differ = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) differ |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return differ === 0;
}
