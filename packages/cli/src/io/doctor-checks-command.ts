import { ExitCode, visible } from '@copain/core';
import type { Session } from './session.ts';

/** One finding, as the agent tells it. */
interface Check {
  id: string;
  ok: boolean | null;
  text: string;
  hint: string | null;
}

const shapes = {
  unicode: { good: '●', bad: '✖', open: '○' },
  ascii: { good: '[+]', bad: '[x]', open: '[ ]' },
};

/**
 * `peer doctor net [--ask-friends]`: how this box looks from outside. Exit 1 where something that it needs cannot be
 * reached. `askFriends`: have them dial now instead of telling what they found last.
 */
export async function doctorNet(session: Session, options: { askFriends?: boolean }): Promise<number> {
  const { checks } = (await session.ask(
    'doctor.net',
    { askFriends: options.askFriends === true },
    { silenceMs: 60_000 },
  )) as { checks: Check[] };
  return sayChecks(session, 'doctor.net', checks);
}

/** `peer doctor dns`: asks the primaries, then tells how this box stands as a name server. Exit 1 where something fails. */
export async function doctorDns(session: Session): Promise<number> {
  const { checks } = (await session.ask('doctor.dns', {}, { silenceMs: 60_000 })) as { checks: Check[] };
  return sayChecks(session, 'doctor.dns', checks);
}

/**
 * `peer doctor mail`: asks every backup as a stranger would, and holds what friends signed for against what arrived. Exit 1
 * where a backup takes no mail, a canary was lost, or something is missing.
 */
export async function doctorMail(session: Session): Promise<number> {
  const { checks } = (await session.ask('doctor.mail', {}, { silenceMs: 90_000 })) as { checks: Check[] };
  return sayChecks(session, 'doctor.mail', checks);
}

/**
 * `peer doctor disk [--fix]`: reads everything that lies in the spools of this box. Exit 1 where something cannot be read.
 * `fix`: what cannot be read is set aside in files first, so that copies of it can come; nothing is deleted.
 */
export async function doctorDisk(session: Session, options: { fix?: boolean }): Promise<number> {
  const { checks, fixed } = (await session.ask(
    'doctor.disk',
    { fix: options.fix === true },
    { silenceMs: 60_000 },
  )) as { checks: Check[]; fixed: string[] };
  for (const text of fixed) session.say(visible(text, 600));
  if (options.fix === true && fixed.length === 0) session.say('There was nothing to mend.');
  return sayChecks(session, 'doctor.disk', checks, { fixed });
}

/** What `peer doctor` looks at, in the order in which it tells; how long each may say nothing. */
const subjects = [
  { about: 'net', title: 'Reachability', silenceMs: 60_000 },
  { about: 'dns', title: 'Name server', silenceMs: 60_000 },
  { about: 'mail', title: 'Mail', silenceMs: 90_000 },
  { about: 'disk', title: 'Disk', silenceMs: 60_000 },
] as const;

/**
 * `peer doctor [--ask-friends]`: all of the above but the line. As JSON each finding has its subject in `about`. Exit 1 where
 * something is wrong anywhere.
 */
export async function doctorAll(session: Session, options: { askFriends?: boolean }): Promise<number> {
  const found: (Check & { about: string })[] = [];
  const texts: string[] = [];
  for (const { about, title, silenceMs } of subjects) {
    const asked = {
      net: { askFriends: options.askFriends === true },
      disk: { fix: false },
      dns: {},
      mail: {},
    };
    const { checks } = (await session.ask(`doctor.${about}`, asked[about], { silenceMs })) as {
      checks: Check[];
    };
    found.push(...checks.map((check) => ({ about, ...check })));
    texts.push(`${title}\n${linesOf(session, checks).join('')}`);
  }
  session.answer('doctor.all', { checks: found }, texts.join('\n'));
  return found.some(({ ok }) => ok === false) ? ExitCode.no : ExitCode.done;
}

function linesOf(session: Session, checks: readonly Check[]): string[] {
  const { shapes: kind, paint } = session.textOptions();
  return checks.map(({ ok, text, hint }) => {
    const tone = ok === null ? 'dim' : ok ? 'good' : 'bad';
    const shape = shapes[kind][ok === null ? 'open' : ok ? 'good' : 'bad'];
    const further = hint === null || ok === true ? '' : `\n    → ${visible(hint, 200)}`;
    return `${paint?.(tone, shape) ?? shape} ${visible(text, 400)}${further}\n`;
  });
}

function sayChecks(
  session: Session,
  schema: string,
  checks: readonly Check[],
  more: Readonly<Record<string, unknown>> = {},
): number {
  session.answer(schema, { checks, ...more }, linesOf(session, checks).join(''));
  return checks.some(({ ok }) => ok === false) ? ExitCode.no : ExitCode.done;
}
