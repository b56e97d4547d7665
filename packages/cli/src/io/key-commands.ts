import { open, rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import { cliLimits } from '../limits.ts';
import { fileError } from './config-file.ts';
import type { Session } from './session.ts';

interface ShownKeys {
  ownerId: string;
  circle: string | null;
  epoch: number;
  keys: { use: string; id: string; age: string; here: boolean }[];
  boxes: { name: string; id: string; age: string; roles: string[]; here: boolean }[];
  revoked: string[];
}

/** `peer key show`: public halves, and on which box the secrets lie. */
export async function showKeys(session: Session): Promise<void> {
  const shown = (await session.ask('key.show')) as ShownKeys;
  const place = (use: string, here: boolean): string =>
    here
      ? 'secret on this box'
      : use === 'paper'
        ? 'secret not on this box, as it should be'
        : 'secret not on this box';
  const rows: [string, string][] = [
    ['owner', shown.ownerId],
    ['epoch', String(shown.epoch)],
    ...shown.keys.flatMap(({ use, id, age, here }): [string, string][] => [
      [`${use} key`, `${id}   ${place(use, here)}`],
      [`${use} seal`, age],
    ]),
    ...shown.boxes.flatMap(({ name, id, age, roles, here }): [string, string][] => [
      [`box ${name}`, `${id}${here ? '   this box' : ''}`],
      ['  roles', roles.join(', ')],
      ['  mail seal', age],
    ]),
    ...shown.revoked.map((id): [string, string] => ['revoked', id]),
  ];
  const text = rows.map(([label, value]) => `${visible(label).padEnd(14)}${visible(value, 400)}\n`).join('');
  session.answer('key.show', shown, text);
}

/** The text of a file of the person's, bounded. */
async function readText(session: Session, file: string): Promise<string> {
  const path = resolve(session.world.cwd, file);
  try {
    await using opened = await open(path);
    const { bytesRead, buffer } = await opened.read({ buffer: new Uint8Array(cliLimits.keyFileBytes + 1) });
    if (bytesRead > cliLimits.keyFileBytes)
      throw new CommandError(ExitCode.badInput, `${file} is larger than a key file can be`);
    return new TextDecoder().decode(buffer.subarray(0, bytesRead));
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw fileError(path, 'read', cause);
  }
}

async function readPassphrase(session: Session, file: string): Promise<string> {
  const passphrase = (await readText(session, file)).replace(/\r?\n$/, '');
  if (passphrase !== '') return passphrase;
  throw new CommandError(ExitCode.badInput, `${file} holds no passphrase`);
}

/** The text of a key file, opened with the passphrase where it is sealed. */
export async function readKeyFile(
  session: Session,
  file: string,
  passphraseFile: string | undefined,
): Promise<string> {
  const text = await readText(session, file);
  if (!text.startsWith('-----BEGIN AGE ENCRYPTED FILE-----')) return text;
  if (passphraseFile === undefined)
    throw new CommandError(ExitCode.usage, `${file} is sealed with a passphrase`, {
      hint: 'add --passphrase-file FILE',
    });
  const { openSecret } = await import('@copain/agent/io');
  const secret = await openSecret(text, await readPassphrase(session, passphraseFile));
  if (secret !== undefined) return secret;
  throw new CommandError(ExitCode.badInput, `the passphrase does not open ${file}`);
}

/** Writes a new file for its owner alone; nothing is overwritten, and nothing half written is left under its name. */
async function writeSecretFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      const content = await open(temporary, 'w', 0o600);
      try {
        await content.writeFile(text);
        await content.sync();
      } finally {
        await content.close();
      }
      await rename(temporary, path);
    } finally {
      await file.close();
    }
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CommandError(
        ExitCode.cannotWrite,
        `${visible(path, 400)} is there already; nothing was overwritten`,
      );
    throw fileError(path, 'write', cause);
  }
}

/** `peer key export FILE`: the owner key; with `--remove` it leaves the box once the file is on the disk. */
export async function exportKey(
  session: Session,
  file: string,
  options: { passphraseFile?: string | undefined; remove?: boolean | undefined },
): Promise<void> {
  const path = resolve(session.world.cwd, file);
  const passphrase =
    options.passphraseFile === undefined ? undefined : await readPassphrase(session, options.passphraseFile);
  if (options.remove === true) {
    session.say('The owner key leaves this box. The agent goes on without it; to add or revoke a box, or to');
    session.say(`change keys, bring it back with: peer key import ${visible(file, 400)}`);
    if (!(await session.confirm('Take it off this box?')))
      throw new CommandError(ExitCode.no, 'the owner key stays; nothing was changed');
  }
  const { secret } = (await session.ask('key.export')) as { secret: string };
  const plain = `# copain owner key: whoever has it can add and revoke boxes of this owner\n${secret}\n`;
  const { sealSecret } = await import('@copain/agent/io');
  await writeSecretFile(path, passphrase === undefined ? plain : await sealSecret(plain, passphrase));
  if (options.remove === true) await session.ask('key.remove');
  const removed = options.remove === true;
  const sealed = passphrase !== undefined;
  const text = `The owner key is in ${visible(path, 400)}${sealed ? ', sealed with the passphrase' : ''}${removed ? ', and no longer on this box' : ''}.\n`;
  session.answer('key.export', { file: path, sealed, removed }, text);
}

/** `peer key import FILE`: an owner or paper key that counts now. */
export async function importKey(
  session: Session,
  file: string,
  options: { passphraseFile?: string | undefined },
): Promise<void> {
  const secret = await readKeyFile(session, file, options.passphraseFile);
  const { use } = (await session.ask('key.import', { secret })) as { use: string };
  session.answer('key.import', { use }, `The ${use} key is on this box now.\n`);
  if (use === 'paper')
    session.say('The paper key outranks all others: a key that lies on this box is lost and stolen with it.');
}

/** `peer key rotate`: a new owner key, or with `--paper` a new paper key. */
export async function rotateKey(
  session: Session,
  options: {
    paper?: boolean | undefined;
    keyFile?: string | undefined;
    passphraseFile?: string | undefined;
    force?: boolean | undefined;
  },
): Promise<void> {
  const by =
    options.keyFile === undefined
      ? undefined
      : await readKeyFile(session, options.keyFile, options.passphraseFile);
  const question =
    options.paper === true
      ? 'Replace the paper key? The one on paper is worth nothing any more.'
      : 'Replace the owner key? The old one signs nothing any more.';
  if (!(await session.confirm(question)))
    throw new CommandError(ExitCode.no, 'the keys stay as they are; nothing was changed');
  const force = options.force === true;
  if (options.paper !== true) {
    const { epoch } = (await session.ask('key.rotate', { by, force })) as { epoch: number };
    session.answer(
      'key.rotate',
      { use: 'owner', epoch },
      `A new owner key is on this box (epoch ${epoch}).\n`,
    );
    return;
  }
  const { newSecret } = await import('@copain/agent/io');
  const paperKey = await newSecret();
  let epoch: number;
  try {
    ({ epoch } = (await session.ask('key.rotate', { by, newPaper: paperKey, force })) as { epoch: number });
  } catch (error) {
    // Whether it counts already is not known where the agent went away: then it must not be lost.
    if (error instanceof CommandError && error.exit === ExitCode.unreachable)
      session.say(`If the new paper key counts (peer key show), it is: ${paperKey}`);
    throw error;
  }
  session.answer(
    'key.rotate',
    { use: 'paper', epoch, paperKey },
    `The new paper key, shown only now. Write it down, and destroy the old one:

  ${paperKey}
`,
  );
}
