import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import { fileError } from './config-file.ts';
import type { Session } from './session.ts';

/** Bytes of a file in one request; base64 makes a third more of it. */
const partBytes = 262_144;

/** The files that are meant: each as it is, and of a folder those whose names end in `.age`. Throws CommandError (74, 77). */
async function filesIn(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => name.endsWith('.age'));
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw fileError(path, 'read', error);
  }
}

/** Gives the agent a file in parts, and hears what it makes of it. */
async function giveFile(
  session: Session,
  path: string,
): Promise<{ kind: 'stored' | 'duplicate' | 'refused'; why?: string }> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fileError(path, 'read', error);
  });
  let key: string | undefined;
  for (let offset = 0; offset < bytes.length; offset += partBytes) {
    const data = bytes.subarray(offset, offset + partBytes).toString('base64');
    const kept = (await session.ask('mail.put', { ...(key === undefined ? {} : { key }), data })) as {
      key: string;
    };
    key = kept.key;
  }
  if (key === undefined) return { kind: 'refused', why: 'it is empty' };
  return (await session.ask('mail.take', { key })) as Awaited<ReturnType<typeof giveFile>>;
}

/**
 * `peer mail import PATH…`: sealed messages that a friend wrote to files (`peer mail export --format age`) are taken in as if he
 * had handed them over, each once. The files stay. Exit 1 where some could not be taken.
 */
export async function importMail(session: Session, paths: readonly string[]): Promise<number> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await filesIn(resolve(session.world.cwd, path))));
  if (files.length === 0)
    throw new CommandError(ExitCode.badInput, 'no file that ends in .age is there', {
      hint: 'at the friend: peer mail export --format age --out DIR',
    });
  const failed: { file: string; why: string }[] = [];
  let taken = 0;
  let known = 0;
  for (const file of files) {
    const outcome = await giveFile(session, file);
    if (outcome.kind === 'stored') taken += 1;
    else if (outcome.kind === 'duplicate') known += 1;
    else {
      const { why = 'refused' } = outcome;
      failed.push({ file, why });
      session.say(`peer: ${visible(file, 400)}: ${visible(why, 300)}`);
    }
  }
  const text = `${taken} taken in, ${known} had come before${failed.length === 0 ? '' : `, ${failed.length} refused`}\n`;
  session.answer('mail.import', { taken, known, failed }, text);
  return failed.length === 0 ? ExitCode.done : ExitCode.no;
}
