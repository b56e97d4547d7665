import { resolve } from 'node:path';
import type { MailConfig } from '@copain/agent';
import { CommandError, ExitCode, formatSize, visible } from '@copain/core';
import { type MessageInfo, messagesTable, senderWords } from '@copain/status';
import { appliedText, changeConfig, mustBeReadable } from './config-file.ts';
import type { Session } from './session.ts';
import { plainDomain } from './zone-commands.ts';

/** `peer mail add DOMAIN --deliver HOST:PORT`. */
export async function addMail(
  session: Session,
  name: string,
  options: {
    deliver: string;
    client?: MailConfig['client'] | undefined;
    recipients?: string | undefined;
  },
): Promise<void> {
  const { addMail: add, relativeToConfig } = await import('@copain/agent');
  const { cwd } = session.world;
  const { deliver, client, recipients } = options;
  const isFile = recipients !== undefined && recipients !== 'learn' && recipients !== 'any';
  if (isFile) await mustBeReadable(resolve(cwd, recipients));
  const mail = {
    domain: plainDomain(name),
    deliver,
    client,
    recipients: isFile ? relativeToConfig(session.paths.configFile, resolve(cwd, recipients)) : recipients,
  };
  const applied = await changeConfig(session, (text) => add(text, mail));
  session.answer('mail.add', { ...mail, applied }, appliedText(`Mail for ${mail.domain} is added`, applied));
}

/** `peer mail remove DOMAIN`. */
export async function removeMail(session: Session, name: string): Promise<void> {
  const domain = plainDomain(name);
  const { removeMail: remove } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => remove(text, domain));
  const done =
    applied === 'unchanged' ? `peer.toml has no mail for ${domain}` : `Mail for ${domain} is removed`;
  session.answer('mail.remove', { domain, applied }, appliedText(done, applied));
  if (applied === 'applied') await sayWhatWaits(session, domain);
}

/** Messages of a domain that is owned no longer are kept and go nowhere: the person has to know. */
async function sayWhatWaits(session: Session, domain: string): Promise<void> {
  const { messages = [] } = (await session.ask('mail.list', { here: true })) as { messages?: MessageInfo[] };
  const waiting = messages.filter((message) => message.domain === domain && message.state === 'queued');
  if (waiting.length === 0) return;
  const count = `${waiting.length} message${waiting.length === 1 ? '' : 's'}`;
  session.say(`peer: ${count} for ${domain} stay here undelivered until you add it again: peer mail add`);
}

/** `peer mail list`. */
export async function listMail(session: Session, options: { here?: boolean }): Promise<void> {
  await showList(session, 'mail.list', options.here === true, () => true);
}

/** `peer mail quarantine list`: what your mail server refused. */
export async function listQuarantine(session: Session): Promise<void> {
  await showList(session, 'mail.quarantine.list', false, ({ state }) => state === 'quarantined');
}

async function showList(
  session: Session,
  schema: string,
  here: boolean,
  wanted: (message: MessageInfo) => boolean,
): Promise<void> {
  const { messages, silent, left, leftHere } = (await session.ask('mail.list', { here })) as {
    messages: MessageInfo[];
    silent: string[];
    left: number;
    leftHere: number;
  };
  const chosen = messages.filter(wanted);
  const text = chosen.length === 0 ? 'no messages\n' : messagesTable(chosen, session.textOptions());
  session.answer(schema, { messages: chosen, silent, left, leftHere }, text);
  if (silent.length > 0)
    session.say(`peer: ${visible(silent.join(', '), 400)} cannot be asked now, and may hold more`);
  if (left > 0) session.say(`peer: friends hold ${left} older messages that are not listed`);
  if (leftHere > 0)
    session.say(`peer: this box holds ${leftHere} older messages for friends that are not listed`);
}

/** `peer mail show ID`. */
export async function showMail(session: Session, id: string): Promise<void> {
  const { message } = (await session.ask('mail.show', { id })) as { message: MessageInfo };
  const rows: [string, string][] = [
    ['id', message.id],
    ['sender', senderWords(message)],
    ...message.recipients.map((recipient): [string, string] => ['to', recipient]),
    ['domain', message.domain],
    ['size', formatSize(message.sizeBytes)],
    ['received', message.receivedAt],
    ['state', message.state],
    ['held by', message.heldBy.join(', ')],
    ...(message.lastReply ? [['reply', message.lastReply] as [string, string]] : []),
    ...(message.nextTryAt && message.state === 'queued'
      ? [['next try', message.nextTryAt] as [string, string]]
      : []),
  ];
  const text = rows.map(([label, value]) => `${label.padEnd(10)}${visible(value, 400)}\n`).join('');
  session.answer('mail.show', { message }, text);
}

/** `peer mail quarantine release ID`: your mail server is asked again, at once. */
export async function releaseMail(session: Session, id: string): Promise<void> {
  const { message } = (await session.ask('mail.release', { id })) as { message: MessageInfo };
  session.answer('mail.quarantine.release', { message }, `${message.id} goes to your mail server again\n`);
}

/** `peer mail quarantine delete ID`: gone for good; asked before. */
export async function deleteMail(session: Session, id: string): Promise<void> {
  const shown = (await session.ask('mail.show', { id })) as { message: MessageInfo };
  const from = visible(senderWords(shown.message), 200);
  if (!(await session.confirm(`Delete ${shown.message.id} from ${from} for good?`)))
    throw new CommandError(ExitCode.no, 'the message stays; nothing was changed');
  const { message } = (await session.ask('mail.delete', { id: shown.message.id })) as {
    message: MessageInfo;
  };
  session.answer('mail.quarantine.delete', { message }, `${message.id} is deleted\n`);
}

/** `peer mail flush [DOMAIN]`: tries to hand over now instead of at the next planned time. */
export async function flushMail(session: Session, name: string | undefined): Promise<void> {
  const args = name === undefined ? {} : { domain: plainDomain(name) };
  const { started } = (await session.ask('mail.flush', args)) as { started: number };
  session.answer(
    'mail.flush',
    { started },
    `trying to hand over ${started} message${started === 1 ? '' : 's'}\n`,
  );
}

interface Recipients {
  domain: string;
  role: 'own' | 'backup';
  recipients: 'any' | 'learn' | 'file' | null;
  any: boolean;
  unknown: 'accept' | 'defer';
  known: number;
  refused: number;
  addresses: { address: string; source: string }[];
  friends: { name: string; isCurrent: boolean; toldAt: string | null }[];
  heardAt: string | null;
}

/** `peer mail recipients DOMAIN [add|remove ADDRESS…]`. */
export async function mailRecipients(
  session: Session,
  name: string,
  change: string | undefined,
  addresses: readonly string[],
): Promise<void> {
  if (change !== undefined && change !== 'add' && change !== 'remove')
    throw new CommandError(ExitCode.usage, `'${visible(change)}' is neither add nor remove`);
  if (change !== undefined && addresses.length === 0)
    throw new CommandError(ExitCode.usage, `which address shall I ${change}?`);
  const domain = plainDomain(name);
  const found = (await session.ask('mail.recipients', { domain, change, addresses })) as Recipients;
  session.answer('mail.recipients', { ...found }, recipientsText(found));
}

function recipientsText(found: Recipients): string {
  const { domain, role, any, unknown, known, refused, addresses, friends, heardAt } = found;
  const others = unknown === 'accept' ? 'accepted all the same' : 'asked to come again (451)';
  const rule = any ? 'every recipient is accepted' : `${known} known; any other is ${others}`;
  const shut = refused === 0 ? '' : `; ${refused} refused lately, asked to come again`;
  const lines = [`${domain}, while its mail server is away: ${rule}${shut}`];
  if (role === 'backup')
    lines.push(heardAt === null ? 'its owner has not told yet' : `as its owner told on ${heardAt}`);
  for (const friend of friends)
    lines.push(
      `${visible(friend.name)} ${friend.isCurrent ? 'has the newest list' : 'does not have the newest list yet'}`,
    );
  for (const { address, source } of addresses) lines.push(`${visible(address, 300)}  ${source}`);
  return `${lines.join('\n')}\n`;
}
