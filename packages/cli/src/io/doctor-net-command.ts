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
  const bad = checks.filter(({ ok }) => ok === false);
  const { shapes: kind, paint } = session.textOptions();
  const lines = checks.map(({ ok, text, hint }) => {
    const tone = ok === null ? 'dim' : ok ? 'good' : 'bad';
    const shape = shapes[kind][ok === null ? 'open' : ok ? 'good' : 'bad'];
    const more = hint === null || ok === true ? '' : `\n    → ${visible(hint, 200)}`;
    return `${paint?.(tone, shape) ?? shape} ${visible(text, 400)}${more}\n`;
  });
  session.answer('doctor.net', { checks }, lines.join(''));
  return bad.length === 0 ? ExitCode.done : ExitCode.no;
}
