import type { Clock } from '@copain/core';
import {
  type Asker,
  answerNotify,
  keyToName,
  type NameKey,
  type NotifiedZone,
  nameToText,
  notifyRefusalsPerSecondMax,
} from '@copain/dns';
import { tsigCrypto } from '@copain/dns/io';
import type { Logger } from 'pino';

/** A zone that NOTIFYs may be about. */
export interface NotifiableZone extends NotifiedZone {
  notified(): void;
}

/**
 * Answers NOTIFYs and passes on those that are believed. Those of strangers are answered up to a rate, and are in the
 * log at the level `debug` only: nobody is to fill it from outside.
 */
export function receiveNotifies(options: {
  find: (origin: NameKey) => NotifiableZone | undefined;
  clock: Clock;
  log: Logger;
}): (query: Uint8Array, asker: Asker) => Uint8Array | undefined {
  const { find, clock, log } = options;
  let refusals = { second: 0, count: 0 };
  return (query, asker) => {
    const nowS = Math.floor(clock.nowMs() / 1000);
    const verdict = answerNotify(query, asker, find, { crypto: tsigCrypto, nowS });
    if (verdict.kind === 'ignored') return undefined;
    if (verdict.kind === 'accepted') {
      log.debug({ zone: nameToText(keyToName(verdict.origin)), from: asker.address }, 'NOTIFY');
      find(verdict.origin)?.notified();
      return verdict.answer;
    }
    log.debug({ from: asker.address, why: verdict.why }, 'a NOTIFY was not taken');
    if (refusals.second !== nowS) refusals = { second: nowS, count: 0 };
    return ++refusals.count > notifyRefusalsPerSecondMax ? undefined : verdict.answer;
  };
}
