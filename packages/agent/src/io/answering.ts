import type { Random } from '@copain/core';
import { cookieRotateMs } from '@copain/dns';
import { type AnswerPool, startAnswerPool } from '@copain/dns/io';
import type { Logger } from 'pino';
import type { Config } from '../config-schema.ts';

const secretBytes = 16;

/** Starts the threads that answer, and changes the cookies' secret every day (RFC 7873 §7.1). */
export function startAnswering(options: {
  dns: Config['dns'];
  random: Random;
  log: Logger;
}): { pool: AnswerPool } & AsyncDisposable {
  const { dns, random, log } = options;
  const pool = startAnswerPool({
    threads: dns.listen.length === 0 ? 1 : dns.workers,
    identity: { nsid: dns.nsid, hostname: dns.hostname, version: dns.version },
    cookieSecret: random.bytes(secretBytes),
    answersPerSecond: dns.answersPerSecond,
    failed: ({ cause }) => log.error({ err: cause }, 'a thread that answers DNS'),
  });
  const rotation = setInterval(() => pool.rotate(random.bytes(secretBytes)), cookieRotateMs);
  rotation.unref();
  return {
    pool,
    [Symbol.asyncDispose]: async () => {
      clearInterval(rotation);
      await pool[Symbol.asyncDispose]();
    },
  };
}
