import { formatSize, visible } from '@copain/core';
import type { MailEvents } from '@copain/mail/io';
import type { Logger } from 'pino';
import type { EventLog } from './event-log.ts';

/** What the mail room tells, as log lines; what a friend wants to know next morning also goes to the page. */
export function mailEvents(log: Logger, events: EventLog, changed: () => void): MailEvents {
  return {
    passed: (fact) => log.info({ ...fact }, 'mail was passed on live'),
    held: (fact) => {
      log.info({ ...fact }, 'mail is held');
      events.add(
        'mail.held',
        `A message of ${formatSize(fact.sizeBytes)} for ${fact.domain} is held here for ${fact.ownerName}.`,
      );
    },
    rawEnded: ({ broken, ...fact }) => {
      const why = broken === undefined ? undefined : visible(broken);
      log.info({ ...fact, broken: why }, 'a mail connection was passed on');
    },
    rawDeclined: (fact) =>
      log.info({ ...fact, why: visible(fact.why) }, 'a mail connection was not passed on as it is'),
    refused: (fact) => log.info({ ...fact, why: visible(fact.why) }, 'mail was refused'),
    handedOver: (fact) => {
      log.info({ ...fact }, 'held mail was handed over');
      events.add('mail.handed-over', `A message for ${fact.domain} was handed over to its owner.`);
    },
    queued: (fact) => log.info({ ...fact }, 'mail arrived and waits for the mail server'),
    delivered: (fact) => {
      log.info({ ...fact }, 'mail was delivered');
      events.add('mail.delivered', `A message for ${fact.domain} was delivered to your mail server.`);
    },
    deferred: (fact) => log.warn({ ...fact, reply: visible(fact.reply) }, 'the mail server wants it later'),
    quarantined: (fact) => {
      log.warn({ ...fact, reply: visible(fact.reply) }, 'the mail server refused a message; it is kept');
      events.add(
        'mail.quarantined',
        `Your mail server refused a message for ${fact.domain} (${visible(fact.reply)}); it is kept: peer mail list.`,
      );
    },
    trouble: ({ where, error }) => {
      log.error({ where, err: error }, 'trouble with mail');
      events.add('mail.trouble', `Trouble with mail (${where}): ${visible(error.message)}`);
    },
    changed,
  };
}
