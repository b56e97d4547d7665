import { resolve } from 'node:path';
import type { MailConfig } from '@copain/agent';
import { formatSize, visible } from '@copain/core';
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
  const { messages = [] } = (await session.ask('mail.list')) as { messages?: MessageInfo[] };
  const waiting = messages.filter((message) => message.domain === domain && message.state === 'queued');
  if (waiting.length === 0) return;
  const count = `${waiting.length} message${waiting.length === 1 ? '' : 's'}`;
  session.say(`peer: ${count} for ${domain} stay here undelivered until you add it again: peer mail add`);
}

/** `peer mail list`. */
export async function listMail(session: Session): Promise<void> {
  const { messages } = (await session.ask('mail.list')) as { messages: MessageInfo[] };
  const text =
    messages.length === 0 ? 'no messages wait here\n' : messagesTable(messages, session.textOptions());
  session.answer('mail.list', { messages }, text);
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
  ];
  const text = rows.map(([label, value]) => `${label.padEnd(10)}${visible(value, 400)}\n`).join('');
  session.answer('mail.show', { message }, text);
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
