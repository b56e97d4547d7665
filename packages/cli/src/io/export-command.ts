import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import type { MessageInfo } from '@copain/status';
import { maildirFile, mboxEntry, messagesToExport } from '../exported-mail.ts';
import { fileError } from './config-file.ts';
import { fetchMessage, fetchSealed, type KeyOptions } from './fetch-message.ts';
import type { Session } from './session.ts';

type Format = 'mbox' | 'maildir' | 'age';

/** Writes a file that was not there, synced. */
async function writeNew(path: string, content: Uint8Array | string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content, 'latin1');
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, 'write', error);
  }
}

/** Adds to a file that may be there, synced. */
async function append(path: string, content: string): Promise<void> {
  try {
    const file = await open(path, 'a', 0o600);
    try {
      await file.writeFile(content, 'latin1');
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, 'write', error);
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw fileError(path, 'write', error);
  });
}

/** A name that no other delivery into the same Maildir takes. */
const maildirName = (): string => `${Math.floor(Date.now() / 1000)}.${randomBytes(8).toString('hex')}.copain`;

/** Writes one message in its format. `age`: sealed, for whoever has the key; the name of its file is its id. */
async function writeOut(
  session: Session,
  message: MessageInfo,
  out: string,
  options: KeyOptions & { format: Format },
): Promise<void> {
  if (options.format === 'age') {
    const { bytes } = await fetchSealed(session, message.id);
    await writeNew(join(out, `${message.id}.age`), bytes);
    return;
  }
  const fetched = await fetchMessage(session, message.id, options);
  const { from, recipients, receivedAt } = fetched.message;
  const envelope = { from, recipients, receivedAtMs: Date.parse(receivedAt) };
  const text = Buffer.from(fetched.bytes).toString('latin1');
  if (options.format === 'mbox') {
    await append(out, mboxEntry(text, envelope));
    return;
  }
  // A Maildir reader never sees half a message: written under tmp, then given its name under new.
  const name = maildirName();
  await writeNew(join(out, 'tmp', name), maildirFile(text, envelope));
  await rename(join(out, 'tmp', name), join(out, 'new', name));
}

/**
 * `peer mail export --out PATH [ID…]`: copies of messages that wait here or at friends, into an mbox, a Maildir, or as age
 * files that only their owner opens. Nothing is marked, moved or deleted. Exit 1 where some were not there or could not be
 * written.
 */
export async function exportMail(
  session: Session,
  ids: readonly string[],
  options: KeyOptions & { out: string; format: Format; domain?: string | undefined },
): Promise<number> {
  const out = resolve(session.world.cwd, options.out);
  const { messages, silent, left } = (await session.ask('mail.list')) as {
    messages: MessageInfo[];
    silent: string[];
    left: number;
  };
  const { chosen, unknown } = messagesToExport(messages, { ids, domain: options.domain });
  if (options.format === 'mbox' && (await stat(out).catch(() => undefined))?.isFile() === true)
    throw new CommandError(
      ExitCode.cannotWrite,
      `${visible(out, 400)} is there already; nothing was added to it`,
    );
  if (options.format === 'maildir')
    for (const folder of ['tmp', 'new', 'cur']) await makeFolder(join(out, folder));
  if (options.format === 'age') await makeFolder(out);
  const failed = unknown.map((id) => ({ id, why: `no message ${visible(id)} was found` }));
  for (const { why } of failed) session.say(`peer: ${why}`);
  let written = 0;
  for (const message of chosen) {
    try {
      await writeOut(session, message, out, options);
      written += 1;
    } catch (error) {
      // What is sealed to somebody else cannot be read here; the rest can.
      if (!(error instanceof CommandError) || error.exit === ExitCode.cannotWrite) throw error;
      failed.push({ id: message.id, why: error.message });
      session.say(`peer: ${visible(error.message, 400)}`);
    }
  }
  if (silent.length > 0) session.say(`peer: ${silent.join(', ')} cannot be asked now, and may hold more`);
  if (left > 0) session.say(`peer: friends hold ${left} older messages that are not among them`);
  if (failed.length > unknown.length && options.format !== 'age')
    session.say('peer: what is sealed to somebody else can be exported sealed: --format age');
  const count = `${written} message${written === 1 ? '' : 's'}`;
  session.answer(
    'mail.export',
    { out, format: options.format, written, failed, silent, left },
    `${count} written to ${visible(out, 400)}\n`,
  );
  return failed.length === 0 ? ExitCode.done : ExitCode.no;
}
