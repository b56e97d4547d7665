import { CommandError, ExitCode, isoTime } from '@copain/core';
import { type Away, maxAwayNoteLength } from '@copain/trust';
import type { Agent } from './agent.ts';
import { needSignable } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';

/** Nobody plans an absence of more than a year. */
const awayForAtMostMs = 366 * 86_400_000;

/**
 * `peer away` and `peer back`: friends are told at once, and whoever is not connected now learns it from others. What
 * cannot be signed now is refused (69), since nobody would know of it.
 */
export function awayHandlers(agent: Agent, nowMs: () => number): Record<'away' | 'back', ControlHandler> {
  const say = async (away: Away | undefined): Promise<Record<string, unknown>> => {
    await agent.away(away);
    return {
      away:
        away === undefined
          ? null
          : { since: isoTime(away.sinceMs), until: isoUntil(away), note: away.note ?? null },
    };
  };
  return {
    away: async (args) => {
      const { untilMs, note } = args;
      const now = Math.round(nowMs());
      const until = typeof untilMs === 'number' ? Math.round(untilMs) : undefined;
      if (until !== undefined && (until <= now || until > now + awayForAtMostMs))
        throw new CommandError(ExitCode.badInput, 'the end of an absence lies within the next year', {
          hint: 'peer away --until 7d',
        });
      if (typeof note === 'string' && note.length > maxAwayNoteLength)
        throw new CommandError(ExitCode.badInput, `a note has at most ${maxAwayNoteLength} characters`);
      await needSignable(agent, args, 'an absence');
      return await say({
        sinceMs: now,
        untilMs: until,
        note: typeof note === 'string' && note !== '' ? note : undefined,
      });
    },
    back: async (args) => {
      await needSignable(agent, args, 'the end of an absence');
      return await say(undefined);
    },
  };
}

const isoUntil = ({ untilMs }: Away): string | null => (untilMs === undefined ? null : isoTime(untilMs));
