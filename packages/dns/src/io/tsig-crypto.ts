import { createHmac, timingSafeEqual } from 'node:crypto';
import type { TsigAlgorithm, TsigCrypto } from '../tsig-record.ts';

const digestOf: Record<TsigAlgorithm, string> = {
  'hmac-sha256': 'sha256',
  'hmac-sha384': 'sha384',
  'hmac-sha512': 'sha512',
};

/** HMAC (RFC 2104) and its comparison, for TSIG. */
export const tsigCrypto: TsigCrypto = {
  hmac: (algorithm, secret, data) => createHmac(digestOf[algorithm], secret).update(data).digest(),
  sameMac: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};
