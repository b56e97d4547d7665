import { CommandError, ExitCode, isoTime } from '@copain/core';
import { alertLimits } from '../alert-limits.ts';
import type { Agent } from './agent.ts';
import type { ControlHandler } from './control-socket.ts';

type AlertCommand = 'alerts.list' | 'alerts.test' | 'alerts.mute';

/** `peer alerts …`: the agent's half. */
export function alertHandlers(agent: Agent, nowMs: () => number): Record<AlertCommand, ControlHandler> {
  const list = (): Record<string, unknown> => {
    const { alerts, ways, mutes } = agent.alerts.facts();
    return {
      alerts,
      ways: ways.map(({ to, sentAtMs, failing }) => ({
        to,
        sentAt: sentAtMs === undefined ? null : isoTime(sentAtMs),
        failing:
          failing === undefined
            ? null
            : { since: isoTime(failing.sinceMs), text: failing.why, nextTryAt: isoTime(failing.nextAtMs) },
      })),
      mutes: mutes.map(({ about, untilMs }) => ({ about: about ?? null, until: isoTime(untilMs) })),
    };
  };
  return {
    'alerts.list': async () => list(),
    'alerts.test': async () => ({
      ways: (await agent.alerts.test()).map(({ to, failed }) => ({
        to,
        ok: failed === undefined,
        text: failed ?? null,
      })),
    }),
    'alerts.mute': async ({ forMs, about }) => {
      const name = typeof about === 'string' && about !== '' ? about : undefined;
      if (name !== undefined && name.length > alertLimits.textCharacters)
        throw new CommandError(ExitCode.badInput, 'that is too long for a name');
      if (typeof forMs === 'number' && (forMs < 1000 || forMs > alertLimits.muteMs))
        throw new CommandError(ExitCode.badInput, 'alerts are muted for a second to 31 days', {
          hint: 'peer alerts mute 2h',
        });
      await agent.alerts.mute(name, typeof forMs === 'number' ? Math.round(nowMs() + forMs) : undefined);
      return list();
    },
  };
}
