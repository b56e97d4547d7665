import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, ExitCode, isName, parseDuration, visible } from '@copain/core';
import {
  type FriendStatus,
  friendsTable,
  friendText,
  type InviteInfo,
  invitesTable,
  type StatusDocument,
} from '@copain/status';
import { cliLimits } from '../limits.ts';
import { changeRights } from '../rights.ts';
import { isRunning } from './client.ts';
import { appliedText, changeConfig, readConfig } from './config-file.ts';
import type { InitOptions } from './init-command.ts';
import type { Session } from './session.ts';

/** `peer invite NAME`: the code stands alone on the last line of stdout. */
export async function inviteFriend(
  session: Session,
  name: string,
  options: {
    may?: string | undefined;
    expires?: string | undefined;
    qr?: boolean | undefined;
    force?: boolean | undefined;
  },
): Promise<void> {
  if (!isName(name))
    throw new CommandError(
      ExitCode.usage,
      `"${visible(name)}" is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end`,
    );
  const expiresMs = options.expires === undefined ? undefined : parseDuration(options.expires);
  if (options.expires !== undefined && (expiresMs === undefined || expiresMs === 0))
    throw new CommandError(ExitCode.usage, `--expires: "${options.expires}" is no time span: 90m, 72h, 7d`);
  const changed = options.may === undefined ? undefined : changeRights([], [options.may]);
  if (changed?.kind === 'bad') throw new CommandError(ExitCode.usage, `--may: ${changed.why}`);
  const invite = (await session.ask('invite.create', {
    force: options.force === true,
    name,
    ...(changed === undefined ? {} : { may: changed.rights }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  })) as { id: string; code: string; expiresAt: string; warning?: string };
  if (invite.warning !== undefined) session.say(`peer: ${visible(invite.warning, 400)}`);
  session.say(`Give this code to ${name}, who types: peer join`);
  session.say(
    `It works once, until ${visible(invite.expiresAt)}. Until then it is a secret; take it back with:`,
  );
  session.say(`  peer invite --revoke ${visible(invite.id)}`);
  const { id, code, expiresAt } = invite;
  if (options.qr) {
    const { renderUnicodeCompact } = await import('uqr');
    // Capitals need a smaller picture, and the code reads the same in either case.
    session.say(renderUnicodeCompact(code.toUpperCase(), { border: 2 }));
  }
  session.answer('invite', { id, code, expiresAt }, `${code}\n`);
}

/** `peer invite --list`. */
export async function listInvites(session: Session): Promise<void> {
  const { invites } = (await session.ask('invite.list')) as { invites: InviteInfo[] };
  const text = invites.length === 0 ? 'no invites\n' : invitesTable(invites, session.textOptions());
  session.answer('invite.list', { invites }, text);
}

/** `peer invite --revoke ID`. */
export async function revokeInvite(session: Session, id: string, options: Forced): Promise<void> {
  await session.ask('invite.revoke', { id, force: options.force === true });
  session.answer('invite.revoke', { id }, `invite ${id} is revoked\n`);
}

/** Sign also before a friend has told what this box signed before. */
interface Forced {
  force?: boolean | undefined;
}

async function readBounded(chunks: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) {
    text += String(chunk);
    if (text.length > cliLimits.codeBytes)
      throw new CommandError(ExitCode.badInput, 'that is longer than an invite can be');
  }
  return text;
}

async function readCode(session: Session, file: string | undefined): Promise<string> {
  const { stdin, cwd } = session.world;
  const fromStdin = file === '-' || (file === undefined && !session.canAsk() && stdin.isTTY !== true);
  let text: string;
  if (fromStdin) text = await readBounded(stdin);
  else if (file === undefined)
    text = await session.question('Paste the invite:', { instead: 'peer join --code-file FILE' });
  else {
    try {
      await using opened = await open(resolve(cwd, file));
      text = await readBounded(opened.createReadStream({ encoding: 'utf8', autoClose: false }));
    } catch (cause) {
      if (cause instanceof CommandError) throw cause;
      throw new CommandError(ExitCode.cannotRead, `cannot read the invite from ${file}`, { cause });
    }
  }
  const code = text.trim();
  if (code !== '') return code;
  throw new CommandError(ExitCode.usage, 'there is no invite', { hint: 'peer join --code-file FILE' });
}

interface Preview {
  circle: string;
  inviter: { name: string; id: string };
  member?: string;
  name: string;
  may: string[];
  /** Where the code is for a further box of the inviter: what it will be. */
  roles?: string[];
}

function previewText({ inviter, name, may, roles }: Preview): string {
  if (roles !== undefined)
    return [
      `This makes the box a further box of ${visible(inviter.name)}, called "${visible(name)}".`,
      `  first box        ${visible(inviter.id)}`,
      `  roles            ${visible(roles.join(', '))}`,
      '  Go on only if you are the same person: its own owner key is given up, and the paper key that',
      '  `peer init` printed for it is worth nothing any more.',
    ].join('\n');
  const offer = may.length === 0 ? 'nothing yet' : may.join(', ');
  return [
    `${visible(inviter.name)} invites this box into a circle, as "${visible(name)}".`,
    `  inviter's box    ${visible(inviter.id)}`,
    `  does for you     ${visible(offer)}`,
    `  asks the same of you; change it later with: peer friends may ${visible(inviter.name)} -mail`,
  ].join('\n');
}

/** Waits until the agent, which starts again as a box of its owner, answers as that. */
async function isBackAs(session: Session, name: string): Promise<void> {
  const endsAtMs = performance.now() + cliLimits.stopMs;
  for (;;) {
    await sleep(cliLimits.retryEveryMs);
    try {
      const { boxes } = (await session.ask('box.list')) as { boxes: { name: string; here: boolean }[] };
      if (boxes.some((box) => box.here && box.name === name)) return;
    } catch (error) {
      const isAway = error instanceof CommandError && error.exit !== ExitCode.bug;
      if (!isAway || performance.now() > endsAtMs) throw error;
    }
    if (performance.now() > endsAtMs)
      throw new CommandError(ExitCode.unreachable, 'the agent has not come back as a box of its owner', {
        hint: 'peer box list',
      });
  }
}

/** `peer join`: shows who invites, asks, joins. Without a box it makes one first, and then needs `peer up` (69). */
export async function join(
  session: Session,
  options: InitOptions & { codeFile?: string | undefined },
): Promise<void> {
  const { configFile, socketPath } = session.paths;
  const isNew = await readConfig(configFile).then(
    () => false,
    (error: unknown) => {
      if (error instanceof CommandError && error.hint?.startsWith('peer init')) return true;
      throw error;
    },
  );
  if (isNew) {
    const { init } = await import('./init-command.ts');
    await init(session, options);
  }
  if (!(await isRunning(socketPath)))
    throw new CommandError(
      ExitCode.unreachable,
      'joining needs the agent of this box, and it is not running',
      {
        hint: 'peer up, then peer join again',
      },
    );
  const code = await readCode(session, options.codeFile);
  const preview = (await session.ask('join.preview', { code })) as Preview;
  session.say(previewText(preview));
  if (!(await session.confirm('Join?')))
    throw new CommandError(ExitCode.no, 'not joined; nothing was changed');
  const joined = (await session.ask(
    'join',
    { code },
    { onProgress: (text) => session.say(visible(text, 400)), silenceMs: 0 },
  )) as { circle: string; friends: string[] };
  const { circle } = joined;
  if (preview.roles !== undefined) {
    await isBackAs(session, preview.name);
    const { friends } = (await session.ask('friends')) as { friends: FriendStatus[] };
    const names = friends.map((friend) => friend.name);
    const shown = names.length === 0 ? 'none yet' : names.map((name) => visible(name)).join(', ');
    session.answer(
      'join',
      { circle, friends: names, box: preview.name },
      `This box is ${visible(preview.name)}, one of ${visible(preview.inviter.name)}'s. Your friends: ${shown}\n`,
    );
    return;
  }
  const { friends } = joined;
  const names = friends.map((friend) => visible(friend)).join(', ');
  session.answer('join', { circle, friends }, `Joined. Your friends: ${names}\n`);
  session.say(
    `To be sure that nobody stands in between, compare by phone: peer key words ${visible(preview.inviter.name)}`,
  );
}

/** `peer friends`. */
export async function listFriends(session: Session): Promise<void> {
  const { friends } = (await session.ask('friends')) as { friends: FriendStatus[] };
  const text =
    friends.length === 0
      ? 'no friends yet: peer invite NAME\n'
      : friendsTable(friends, session.textOptions());
  session.answer('friends', { friends }, text);
}

function unknownFriend(name: string, friends: readonly FriendStatus[]): CommandError {
  const known = friends.map((friend) => visible(friend.name, 40)).join(', ');
  const text = `there is no friend called "${visible(name)}"${known === '' ? '' : `; there is ${known}`}`;
  return new CommandError(ExitCode.badInput, text, { hint: 'peer friends' });
}

/** `peer friends show NAME`, and `peer status NAME`. */
export async function showFriend(session: Session, name: string): Promise<void> {
  const status = (await session.ask('status')) as StatusDocument;
  const friend = status.friends.find((candidate) => candidate.name === name);
  const text = friendText(status, name, session.textOptions());
  if (!friend || text === undefined) throw unknownFriend(name, status.friends);
  session.answer('friends.show', { friend }, text);
}

/** The rights there are: what the running agent says, else what `peer.toml` says. */
async function currentRights(session: Session, name: string): Promise<readonly string[] | undefined> {
  if (await isRunning(session.paths.socketPath)) {
    const { friends } = (await session.ask('friends')) as { friends: FriendStatus[] };
    const friend = friends.find((candidate) => candidate.name === name);
    if (!friend) throw unknownFriend(name, friends);
    return friend.may;
  }
  const config = await readConfig(session.paths.configFile);
  return config.friends.find((friend) => friend.name === name)?.may;
}

/** `peer friends may NAME +mail -backup`. */
export async function changeFriendRights(
  session: Session,
  name: string,
  words: readonly string[],
): Promise<void> {
  const current = await currentRights(session, name);
  const changed = changeRights(current ?? [], words);
  if (changed.kind === 'bad') throw new CommandError(ExitCode.usage, changed.why);
  if (current === undefined && words.some((word) => /^[+-]/.test(word)))
    throw new CommandError(ExitCode.unreachable, `what ${name} may do now is known to the agent only`, {
      hint: 'peer up, or list all rights: peer friends may NAME dns,mail',
    });
  const { setFriend } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => setFriend(text, { name, may: changed.rights }));
  const rights = changed.rights.length === 0 ? 'nothing' : changed.rights.join(', ');
  session.answer(
    'friends.may',
    { name, may: changed.rights, applied },
    appliedText(`This box does for ${name}: ${rights}`, applied),
  );
}

/** `peer friends quota NAME 20GB`. */
export async function changeFriendQuota(session: Session, name: string, quota: string): Promise<void> {
  await currentRights(session, name);
  const { setFriend } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => setFriend(text, { name, quota }));
  session.answer(
    'friends.quota',
    { name, quota, applied },
    appliedText(`${name} has ${quota} on this box`, applied),
  );
}

/** `peer friends rename OLD NEW`: this box's own name for him, in its state and wherever `peer.toml` names him. */
export async function renameFriend(session: Session, name: string, to: string): Promise<void> {
  // First whether it can be, so that nothing is written for a name that is taken.
  await session.ask('friends.rename', { name, to, check: true });
  const { renameFriend: edit } = await import('@copain/agent');
  const takeUp = { command: 'friends.rename', args: { name, to } };
  const applied = await changeConfig(session, (text) => edit(text, { name, to }), takeUp);
  const configChanged = applied !== 'unchanged';
  const inFile = configChanged ? ', in peer.toml too' : '';
  session.answer(
    'friends.rename',
    { name: to, before: name, configChanged },
    `${name} is called ${to} now${inFile}.\n`,
  );
}

/** What removing a friend means, before it is done: nothing of it can be taken back. */
function removalText(status: StatusDocument, friend: FriendStatus): string {
  const name = visible(friend.name);
  const served = status.zones.filter(
    (zone) => zone.role === 'primary' && zone.friends.some((one) => one.name === friend.name),
  );
  const kept = status.mail.filter(
    (domain) => domain.role === 'primary' && domain.backups.includes(friend.name),
  );
  const held = status.mail.filter((domain) => domain.role === 'backup' && domain.owner === friend.name);
  const waiting = held.reduce((sum, { messages }) => sum + messages, 0);
  const lines = [
    `${name} leaves the circle for good: the same keys never come back in, a new box with new keys may.`,
    ...served.map(
      ({ origin }) => `  He answers for ${origin}: take his NS records out of it, at the registrar too.`,
    ),
    ...kept.map(({ domain }) => `  He takes mail for ${domain}: take his MX records out of it.`),
    ...(waiting === 0
      ? []
      : [`  ${waiting} messages for him wait here and will not be handed over any more.`]),
    '  What he holds already, he goes on holding, also mail for others who are away. If you trust him with it, first have',
    '  him type, for each of them: peer friends may NAME -mail. Then it moves to other friends (peer mail list --here).',
  ];
  return lines.join('\n');
}

/** `peer friends remove NAME`: says what it means, asks, and removes; for this box at once. */
export async function removeFriend(session: Session, name: string, options: Forced): Promise<void> {
  const status = (await session.ask('status')) as StatusDocument;
  const friend = status.friends.find((candidate) => candidate.name === name);
  if (!friend) throw unknownFriend(name, status.friends);
  session.say(removalText(status, friend));
  if (!(await session.confirm(`Remove ${visible(name)}?`)))
    throw new CommandError(ExitCode.no, `${visible(name)} stays; nothing was changed`);
  const { forEverybody } = (await session.ask('friends.remove', {
    name,
    force: options.force === true,
  })) as { forEverybody: boolean };
  const text = forEverybody
    ? `${visible(name)} is removed from the circle.\n`
    : `${visible(name)} is removed here. For the others it counts when one of them does the same.\n`;
  session.answer('friends.remove', { name, forEverybody }, text);
}
