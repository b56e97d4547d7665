import type { Random } from '@copain/core';
import { AnswerCounts, type AnswererOptions, cookieRotateMs, RateLimiter, rotateSecrets } from '@copain/dns';
import { sha1 } from '@copain/dns/io';
import type { Config } from '../config-schema.ts';

/** What answering keeps while zones come and change: secrets behind cookies, the rate of each network, the counts. */
export interface Answering extends Disposable {
  options: AnswererOptions & { counts: AnswerCounts };
}

const secretBytes = 16;

/** Starts to change the cookies' secret every day (RFC 7873 §7.1). */
export function startAnswering(dns: Config['dns'], random: Random): Answering {
  const cookies = { current: random.bytes(secretBytes), previous: undefined };
  const rotation = setInterval(() => rotateSecrets(cookies, random.bytes(secretBytes)), cookieRotateMs);
  rotation.unref();
  return {
    options: {
      sha1,
      identity: { nsid: dns.nsid, hostname: dns.hostname, version: dns.version },
      cookies,
      limiter: new RateLimiter(dns.answersPerSecond),
      counts: new AnswerCounts(),
    },
    [Symbol.dispose]: () => clearInterval(rotation),
  };
}
