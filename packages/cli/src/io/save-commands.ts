import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SaveKey } from '@copain/agent/io';
import { CommandError, ExitCode, visible } from '@copain/core';
import { cliLimits } from '../limits.ts';
import type { Session } from './session.ts';

/** A small file with a secret in it. Throws CommandError (74) where it cannot be read, 65 where it is no such file. */
async function readSecret(session: Session, file: string): Promise<string> {
  const path = resolve(session.world.cwd, file);
  try {
    if ((await stat(path)).size > cliLimits.codeBytes)
      throw new CommandError(ExitCode.badInput, `${visible(file)} is too large for a key or a passphrase`);
    const text = (await readFile(path, 'utf8')).trim();
    if (text === '') throw new CommandError(ExitCode.badInput, `${visible(file)} is empty`);
    return text;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(ExitCode.cannotRead, `${visible(file)} cannot be read (${code})`, {
      cause: error,
    });
  }
}

/** `peer save FILE`: one encrypted file with all that the box needs. The running agent writes it. */
export async function save(
  session: Session,
  file: string,
  options: { mail?: boolean | undefined; passphraseFile?: string | undefined },
): Promise<void> {
  const path = resolve(session.world.cwd, file);
  const passphrase =
    options.passphraseFile === undefined ? undefined : await readSecret(session, options.passphraseFile);
  const saved = (await session.ask(
    'save',
    { file: path, withMail: options.mail !== false, passphrase },
    { onProgress: (text) => session.say(`peer: saving ${text}`), silenceMs: 0 },
  )) as { sizeBytes: number; frames: number; messages: number };
  const opens =
    passphrase === undefined ? 'the owner key or the paper key opens it' : 'the passphrase opens it';
  const text = `${file}: ${saved.sizeBytes} bytes, ${saved.messages} messages; ${opens}\n`;
  session.answer('save', { file: path, sizeBytes: saved.sizeBytes, messages: saved.messages }, text);
}

const secretPattern = /AGE-SECRET-KEY-1[0-9A-Z]+/gi;

async function keyFor(
  session: Session,
  options: { keyFile?: string | undefined; passphraseFile?: string | undefined },
): Promise<SaveKey> {
  if (options.passphraseFile !== undefined)
    return { kind: 'passphrase', passphrase: await readSecret(session, options.passphraseFile) };
  const text =
    options.keyFile === undefined
      ? await session.question('The owner key or the paper key (AGE-SECRET-KEY-1…):', {
          instead: 'add --key-file FILE, or --passphrase-file FILE',
        })
      : await readSecret(session, options.keyFile);
  const secrets = [...text.matchAll(secretPattern)].map(([secret]) => secret.toUpperCase());
  if (secrets.length > 0) return { kind: 'keys', secrets };
  throw new CommandError(ExitCode.badInput, 'there is no key in it: a key begins with AGE-SECRET-KEY-1');
}

/** `peer restore FILE`: makes the box again in an empty home. Needs no agent. */
export async function restore(
  session: Session,
  file: string,
  options: { keyFile?: string | undefined; passphraseFile?: string | undefined },
): Promise<void> {
  const { restoreBox } = await import('@copain/agent/io');
  const restored = await restoreBox({
    file: resolve(session.world.cwd, file),
    key: await keyFor(session, options),
    paths: session.paths,
    progress: (text) => session.say(`peer: ${text}`),
  });
  for (const { path, at } of restored.outside)
    session.say(`peer: ${visible(path, 4096)} lies outside of this home; it is in ${visible(at, 4096)} now`);
  const savedAt = new Date(restored.savedAtMs).toISOString();
  const text = `${visible(restored.name)} as it was on ${savedAt}: ${restored.files} files, ${restored.rows} rows, ${restored.messages} messages. Start it: peer up\n`;
  session.answer('restore', { ...restored, savedAtMs: undefined, savedAt }, text);
}
