import { CommandError, ExitCode, parseDuration, visible } from '@copain/core';
import type { Session } from './session.ts';

interface AlertInfo {
  kind: string;
  state: 'on' | 'over';
  gone: boolean;
  told: boolean;
  muted: boolean;
  since: string;
  until: string | null;
  text: string;
  command: string;
}

interface AlertList {
  alerts: AlertInfo[];
  ways: {
    to: string;
    sentAt: string | null;
    failing: { since: string; text: string; nextTryAt: string } | null;
  }[];
  mutes: { about: string | null; until: string }[];
}

const minute = (time: string): string => time.slice(0, 16).replace('T', ' ');

function alertLine({ state, gone, muted, since, until, text, command }: AlertInfo): string {
  if (state === 'over') return `over  ${minute(since)} to ${minute(until ?? since)}  ${visible(text, 600)}\n`;
  const what = muted ? 'mute' : gone ? 'gone' : 'on';
  return `${what.padEnd(4)}  since ${minute(since)}  ${visible(text, 600)}\n        → ${visible(command)}\n`;
}

function listText({ alerts, ways, mutes }: AlertList): string {
  const open = alerts.filter(({ state }) => state === 'on');
  const past = alerts.filter(({ state }) => state === 'over');
  const lines = [
    ...(open.length === 0 ? ['Nothing is wrong that is worth an alert.\n'] : open.map(alertLine)),
    ...past.map(alertLine),
    ...ways.map(({ to, sentAt, failing }) => {
      const sent = sentAt === null ? '' : `, the last one ${minute(sentAt)}`;
      return failing === null
        ? `Alerts go to ${visible(to)}${sent}.\n`
        : `Alerts to ${visible(to)} do not get through since ${minute(failing.since)}: ${visible(failing.text, 400)}\n`;
    }),
    ...mutes.map(
      ({ about, until }) =>
        `Muted until ${minute(until)}: ${about === null ? 'everything' : visible(about)}.\n`,
    ),
  ];
  if (ways.length === 0)
    lines.push('Nobody is told: peer.toml has no [[alert]], e.g. to = "mailto:you@elsewhere.example"\n');
  return lines.join('');
}

/** `peer alerts [list]`: what is wrong or was within a day, and the ways to the owner. */
export async function listAlerts(session: Session): Promise<void> {
  const list = (await session.ask('alerts.list')) as AlertList;
  session.answer('alerts', list, listText(list));
}

/** `peer alerts test`: a real message on every way. Exit 1 where one was not taken, or there is none. */
export async function testAlerts(session: Session): Promise<number> {
  const { ways } = (await session.ask('alerts.test', {}, { silenceMs: 60_000 })) as {
    ways: { to: string; ok: boolean; text: string | null }[];
  };
  const lines = ways.map(({ to, ok, text }) =>
    ok ? `${visible(to)} took it\n` : `${visible(to)} did not take it: ${visible(text ?? '', 400)}\n`,
  );
  session.answer('alerts.test', { ways }, lines.join(''));
  return ways.every(({ ok }) => ok) ? ExitCode.done : ExitCode.no;
}

/** `peer alerts mute DURATION|off [--about X]`. */
export async function muteAlerts(
  session: Session,
  span: string,
  options: { about?: string | undefined },
): Promise<void> {
  const forMs = span === 'off' ? undefined : parseDuration(span);
  if (span !== 'off' && (forMs === undefined || forMs === 0))
    throw new CommandError(ExitCode.usage, `"${visible(span)}" is no span of time, and not "off"`, {
      hint: 'peer alerts mute 2h',
    });
  const list = (await session.ask('alerts.mute', {
    ...(forMs === undefined ? {} : { forMs }),
    ...(options.about === undefined ? {} : { about: options.about }),
  })) as AlertList;
  session.answer('alerts', list, listText(list));
}
