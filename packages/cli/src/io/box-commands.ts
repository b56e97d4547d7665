import { CommandError, ExitCode, isName, parseDuration, visible } from '@copain/core';
import { readKeyFile } from './key-commands.ts';
import type { Session } from './session.ts';

interface Box {
  name: string;
  id: string;
  roles: string[];
  here: boolean;
  state: string;
  lastHeardAt: string | null;
}

const list = async (session: Session): Promise<{ epoch: number; boxes: Box[] }> =>
  (await session.ask('box.list')) as { epoch: number; boxes: Box[] };

/** `peer box list`. */
export async function listBoxes(session: Session): Promise<void> {
  const { epoch, boxes } = await list(session);
  const rows = boxes.map(({ name, state, roles, id }) => [name, state, roles.join(','), id]);
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const text = rows
    .map((row) => row.map((cell, at) => visible(cell, 200).padEnd(widths[at] ?? 0)).join('  '))
    .join('\n');
  session.answer('box.list', { epoch, boxes }, `${text}\n`);
}

/** `peer box add NAME`: the code stands alone on the last line of stdout. */
export async function addBox(
  session: Session,
  name: string,
  options: { roles?: string | undefined; expires?: string | undefined; force?: boolean | undefined },
): Promise<void> {
  if (!isName(name))
    throw new CommandError(
      ExitCode.usage,
      `"${visible(name)}" is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end`,
    );
  const expiresMs = options.expires === undefined ? undefined : parseDuration(options.expires);
  if (options.expires !== undefined && (expiresMs === undefined || expiresMs === 0))
    throw new CommandError(ExitCode.usage, `--expires: "${options.expires}" is no time span: 90m, 72h, 7d`);
  const roles = options.roles?.split(',').filter((role) => role !== '');
  const made = (await session.ask('box.add', {
    name,
    force: options.force === true,
    ...(roles === undefined ? {} : { roles }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  })) as { id: string; code: string; expiresAt: string; warning?: string };
  if (made.warning !== undefined) session.say(`peer: ${visible(made.warning, 400)}`);
  session.say(`On the new box: peer init --name ${name}, peer up, and with this code: peer join`);
  session.say(
    `It makes that box yours. It works once, until ${visible(made.expiresAt)}, while this agent runs; take it back`,
  );
  session.say(`with: peer invite --revoke ${visible(made.id)}`);
  const { id, code, expiresAt } = made;
  session.answer('box.add', { id, code, expiresAt }, `${code}\n`);
}

/** `peer box revoke NAME`: says what it means, asks, and revokes. */
export async function revokeBox(
  session: Session,
  name: string,
  options: { keyFile?: string | undefined; passphraseFile?: string | undefined; force?: boolean | undefined },
): Promise<void> {
  const box = (await list(session)).boxes.find((one) => one.name === name);
  if (box === undefined)
    throw new CommandError(ExitCode.badInput, `you have no box called ${visible(name)}`, {
      hint: 'peer box list',
    });
  const by =
    options.keyFile === undefined
      ? undefined
      : await readKeyFile(session, options.keyFile, options.passphraseFile);
  session.say(
    [
      `${name} is your box no longer: every friend hangs up on it and takes nothing more from it.`,
      '  Zones, mail domains and services that it signed for you end, unless another box of yours has them.',
      '  Its open invites end. Whom it admitted stays.',
      '  Was it stolen with the owner key on it? Then also: peer key rotate --key-file PAPER-KEY-FILE',
    ].join('\n'),
  );
  if (!(await session.confirm(`Revoke ${name}?`)))
    throw new CommandError(ExitCode.no, `${name} stays; nothing was changed`);
  const revoked = (await session.ask('box.revoke', { name, by, force: options.force === true })) as {
    name: string;
    id: string;
    epoch: number;
  };
  session.answer('box.revoke', revoked, `${name} is revoked (epoch ${revoked.epoch}).\n`);
}
