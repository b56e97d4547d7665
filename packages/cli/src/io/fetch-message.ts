import { CommandError, ExitCode, visible } from '@copain/core';
import { decodeSpoolRecord } from '@copain/mail';
import type { MessageInfo } from '@copain/status';
import { readKeyFile } from './key-commands.ts';
import type { Session } from './session.ts';

/** How keys that are not on this box are given. */
export interface KeyOptions {
  keyFile?: string | undefined;
  passphraseFile?: string | undefined;
}

/** A message and its bytes, as they were received. */
export interface FetchedMessage {
  message: MessageInfo;
  bytes: Uint8Array;
}

/** Fetching over a friend's uplink takes its time. */
const fetchSilenceMs = 1_900_000;

async function fetchBytes(session: Session, id: string, sealed: boolean): Promise<FetchedMessage> {
  const opened = (await session.ask('mail.open', { id, sealed }, { silenceMs: fetchSilenceMs })) as {
    message: MessageInfo;
    key: string;
    sizeBytes: number;
  };
  const bytes = new Uint8Array(opened.sizeBytes);
  for (let offset = 0; offset < bytes.length; ) {
    const { data } = (await session.ask('mail.part', { key: opened.key, offset })) as { data: string };
    const part = Buffer.from(data, 'base64');
    if (part.length === 0)
      throw new CommandError(ExitCode.unreachable, 'the message ended too early; try again');
    bytes.set(part, offset);
    offset += part.length;
  }
  return { message: opened.message, bytes };
}

/** The sealed part of a record: an age file. */
export async function fetchSealed(session: Session, id: string): Promise<FetchedMessage> {
  const { message, bytes } = await fetchBytes(session, id, true);
  const record = decodeSpoolRecord(bytes);
  if (record === undefined)
    throw new CommandError(ExitCode.badInput, `${message.id} is damaged: it is no sealed message`);
  return { message, bytes: record.sealed };
}

/**
 * A message, wherever it lies. With `--key-file` it travels sealed as far as this process, which opens it with the key in
 * the file: the agent does not see that key. Throws CommandError (65) where the key does not open it.
 */
export async function fetchMessage(
  session: Session,
  id: string,
  options: KeyOptions,
): Promise<FetchedMessage> {
  if (options.keyFile === undefined) return await fetchBytes(session, id, false);
  const text = await readKeyFile(session, options.keyFile, options.passphraseFile);
  const keys = text.match(/AGE-SECRET-KEY-1[0-9A-Z]+/gi) ?? [];
  if (keys.length === 0)
    throw new CommandError(ExitCode.badInput, `there is no key in ${visible(options.keyFile)}`, {
      hint: 'a key is one line AGE-SECRET-KEY-1…: peer key export FILE',
    });
  const { message, bytes } = await fetchBytes(session, id, true);
  const { openSpoolRecord } = await import('@copain/mail/io');
  const opened = await openSpoolRecord(
    bytes,
    keys.map((key) => key.toUpperCase()),
  );
  if (opened.kind === 'unreadable')
    throw new CommandError(
      ExitCode.badInput,
      `${message.id} does not open with ${visible(options.keyFile)}: ${opened.why}`,
    );
  const { from, recipients } = opened.envelope;
  return { message: { ...message, from, recipients: [...recipients] }, bytes: opened.message };
}
