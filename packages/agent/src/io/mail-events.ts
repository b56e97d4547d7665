import { formatSize, isoTime, visible } from '@copain/core';
import type { OwnerNote } from '@copain/mail';
import type { MailEvents } from '@copain/mail/io';
import type { Logger } from 'pino';
import type { RawConnections } from '../raw-connections.ts';
import type { EventLog } from './event-log.ts';

/** What the mail room tells, as log lines; what a friend wants to know next morning also goes to the page. */
export function mailEvents(
  log: Logger,
  events: EventLog,
  {
    changed,
    nameOf,
    raw,
  }: { changed: () => void; nameOf: (ownerId: string) => string; raw: Pick<RawConnections, 'count'> },
): MailEvents {
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
      raw.count(fact.friend, broken === undefined ? 'passed' : 'broken');
      log.info({ ...fact, broken: why }, 'a mail connection was passed on');
    },
    rawDeclined: (fact) => {
      raw.count(fact.friend, 'declined');
      log.info({ ...fact, why: visible(fact.why) }, 'a mail connection was not passed on as it is');
    },
    refused: (fact) => log.info({ ...fact, why: visible(fact.why) }, 'mail was refused'),
    handedOver: (fact) => {
      log.info({ ...fact }, 'held mail was handed over');
      events.add('mail.handed-over', `A message for ${fact.domain} was handed over to its owner.`);
    },
    copied: ({ toId, ...fact }) => log.info({ ...fact, friend: nameOf(toId) }, 'held mail has a second copy'),
    copyTaken: ({ fromId, ...fact }) => {
      log.info({ ...fact, friend: nameOf(fromId) }, 'a copy of held mail was taken from a friend');
      const what = fact.give ? 'took over a message' : 'has a copy of a message';
      events.add('mail.copy-taken', `This box ${what} for ${fact.domain} from ${nameOf(fromId)}.`);
    },
    copyRefused: (fact) => log.info({ ...fact, why: visible(fact.why) }, 'a friend did not take a copy'),
    moved: ({ ownerId, toId, ...fact }) => {
      const [owner, friend] = [nameOf(ownerId), nameOf(toId)];
      log.info({ ...fact, owner, friend }, 'held mail moved to another friend');
      events.add(
        'mail.moved',
        `A message for ${fact.domain} moved to ${friend}, who answers for it now; ${owner} will be told.`,
      );
    },
    noted: ({ fromId, ...note }) => {
      log.info({ ...note, friend: nameOf(fromId) }, 'a friend told what became of mail with him');
      events.add(
        note.what === 'moved' ? 'mail.moved' : 'mail.single-copy',
        noteText(nameOf(fromId), note, nameOf(note.to)),
      );
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

/** What a friend told about our mail, as a sentence. */
function noteText(friend: string, note: OwnerNote, to: string): string {
  const { domain, what: which, messages, bytes, sinceMs, untilMs } = note;
  const [since, until] = [isoTime(sinceMs).slice(0, 16), isoTime(untilMs).slice(0, 16)];
  const when = since === until ? since : `${since} to ${until}`;
  const what = `${messages} ${messages === 1 ? 'message' : 'messages'} for ${visible(domain)} (${formatSize(bytes)}; ${when})`;
  return which === 'moved'
    ? `${friend} gave ${what} to ${to}, who answers for ${messages === 1 ? 'it' : 'them'} now.`
    : `${friend} accepted ${what} while no second friend could have a copy.`;
}
