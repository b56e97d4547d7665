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

function sayChecks(
  session: Session,
  schema: string,
  checks: readonly Check[],
  more: Readonly<Record<string, unknown>> = {},
): number {
  const bad = checks.filter(({ ok }) => ok === false);
  const { shapes: kind, paint } = session.textOptions();
  const lines = checks.map(({ ok, text, hint }) => {
    const tone = ok === null ? 'dim' : ok ? 'good' : 'bad';
    const shape = shapes[kind][ok === null ? 'open' : ok ? 'good' : 'bad'];
    const further = hint === null || ok === true ? '' : `\n    → ${visible(hint, 200)}`;
    return `${paint?.(tone, shape) ?? shape} ${visible(text, 400)}${further}\n`;
  });
  session.answer(schema, { checks, ...more }, lines.join(''));
  return bad.length === 0 ? ExitCode.done : ExitCode.no;
}
