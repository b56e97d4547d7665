import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, ExitCode, parseDuration, visible, visibleJson } from '@copain/core';
import { type EventStatus, type StatusDocument, statusPlain, statusText } from '@copain/status';
import { cliLimits } from '../limits.ts';
import { readSince } from '../since.ts';
import { readWaitFor } from '../wait-for.ts';
import { showFriend } from './circle-commands.ts';
import type { Session } from './session.ts';

async function showStatus(session: Session, isPlain: boolean): Promise<string> {
  const status = (await session.ask('status')) as StatusDocument;
  if (session.isJson) return `${visibleJson(JSON.stringify(status, null, 2))}\n`;
  return isPlain ? statusPlain(status) : statusText(status, session.textOptions());
}

/** `peer status [NAME] [--watch] [--plain]`. */
export async function status(
  session: Session,
  name: string | undefined,
  options: { watch?: boolean | undefined; plain?: boolean | undefined },
): Promise<void> {
  const { stdout } = session.world;
  if (name !== undefined) {
    await showFriend(session, name);
    return;
  }
  const isPlain = options.plain === true;
  if (options.watch !== true) {
    stdout.write(await showStatus(session, isPlain));
    return;
  }
  const { interrupted } = session.world;
  while (!interrupted.aborted) {
    const text = await showStatus(session, isPlain).catch((error: unknown) => {
      if (error instanceof CommandError && error.exit === ExitCode.unreachable) return `${error.message}\n`;
      throw error;
    });
    // Home, the text, and everything below it erased: nothing flickers.
    stdout.write(stdout.isTTY === true && !session.isJson ? `\u001b[H\u001b[2J${text}` : text);
    await sleep(cliLimits.watchEveryMs, undefined, { signal: interrupted }).catch(() => undefined);
  }
}

/** `peer events [-f] [--since T]`: one event a line, oldest first. */
export async function events(
  session: Session,
  options: { follow?: boolean | undefined; since?: string | undefined },
): Promise<void> {
  const { stdout, interrupted } = session.world;
  const sinceMs = options.since === undefined ? undefined : readSince(options.since, Date.now());
  if (options.since !== undefined && sinceMs === undefined)
    throw new CommandError(ExitCode.usage, `--since: "${options.since}" is neither a span (2h) nor a time`);
  const follow = options.follow === true;
  const listed: EventStatus[] = [];
  let isQuiet = true;
  const show = (value: unknown): void => {
    const event = value as EventStatus;
    isQuiet = false;
    if (session.isJson && !follow) listed.push(event);
    else if (session.isJson)
      stdout.write(`${visibleJson(JSON.stringify({ schema: 'peer.event/1', ...event }))}\n`);
    else stdout.write(`${event.at}  ${visible(event.kind, 40).padEnd(18)}  ${visible(event.text, 1000)}\n`);
  };
  await session.ask(
    'events',
    { follow, ...(sinceMs === undefined ? {} : { sinceMs }) },
    { onItem: show, signal: interrupted, silenceMs: 0 },
  );
  if (session.isJson && !follow) session.answer('events', { events: listed }, '');
  else if (isQuiet && !follow) session.say('peer: nothing happened in that time');
}

/**
 * `peer wait --for …`: 0 once it is so, 1 when the time is up. An agent that is not up yet, or restarts meanwhile, is
 * waited for too.
 */
export async function waitFor(session: Session, options: { for: string; timeout: string }): Promise<void> {
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs === undefined)
    throw new CommandError(
      ExitCode.usage,
      `--timeout: "${options.timeout}" is no time span: 500ms, 60s, 10m`,
    );
  const wanted = readWaitFor(options.for);
  if (wanted === undefined)
    throw new CommandError(
      ExitCode.usage,
      `--for: "${visible(options.for)}" is nothing to wait for: ready, friend:NAME, zone:ORIGIN[=SERIAL] or mail-empty:DOMAIN`,
    );
  const { interrupted } = session.world;
  const endsAtMs = performance.now() + timeoutMs;
  while (!interrupted.aborted) {
    const leftMs = Math.max(0, Math.ceil(endsAtMs - performance.now()));
    try {
      await session.ask('wait', { for: wanted, timeoutMs: leftMs }, { silenceMs: 0, signal: interrupted });
      session.answer('wait', { for: options.for, met: true }, '');
      return;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const isTimeUp = error.exit === ExitCode.unreachable && performance.now() >= endsAtMs;
      if (isTimeUp || error.exit === ExitCode.no)
        session.answer('wait', { for: options.for, met: false }, '');
      if (isTimeUp)
        throw new CommandError(ExitCode.no, `still waiting for ${options.for}: ${error.message}`, {
          cause: error,
        });
      if (error.exit !== ExitCode.unreachable) throw error;
      await sleep(cliLimits.retryEveryMs, undefined, { signal: interrupted }).catch(() => undefined);
    }
  }
  throw new CommandError(ExitCode.no, 'interrupted');
}
