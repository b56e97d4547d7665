import { CommandError, ExitCode, parseDuration, parseIsoTime, visible } from '@copain/core';
import type { AwayStatus } from '@copain/status';
import type { Session } from './session.ts';

/** `7d`, or a date, whose day is meant whole, or an RFC 3339 time; undefined where the text is none of them. */
function readUntil(text: string, nowMs: number): number | undefined {
  const spanMs = parseDuration(text);
  if (spanMs !== undefined) return nowMs + spanMs;
  return /^\d{4}-\d\d-\d\d$/.test(text) ? parseIsoTime(`${text}T23:59:59Z`) : parseIsoTime(text);
}

/** `peer away [--until DATE] [--note TEXT]`: friends show this box as away while it is off, and worry about nothing. */
export async function goAway(
  session: Session,
  options: { until?: string | undefined; note?: string | undefined; force?: boolean | undefined },
): Promise<void> {
  const untilMs = options.until === undefined ? undefined : readUntil(options.until, Date.now());
  if (options.until !== undefined && untilMs === undefined)
    throw new CommandError(
      ExitCode.usage,
      `--until: "${visible(options.until)}" is no date (2026-12-06), no time and no span (7d)`,
    );
  const { away } = (await session.ask('away', {
    force: options.force === true,
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(options.note === undefined ? {} : { note: options.note }),
  })) as { away: AwayStatus };
  const until = away.until === null ? '' : ` until ${away.until.slice(0, 10)}`;
  session.answer(
    'away',
    { away },
    `Friends know that this box may be off${until}. When you are back: peer back\n`,
  );
}

/** `peer back`: from now on friends notice again when this box falls silent. */
export async function comeBack(session: Session, options: { force?: boolean | undefined }): Promise<void> {
  await session.ask('back', { force: options.force === true });
  session.answer('back', { away: null }, 'Friends know that you are back.\n');
}
