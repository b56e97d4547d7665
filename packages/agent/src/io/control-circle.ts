import { CommandError, ExitCode, isoTime } from '@copain/core';
import { type Service, services } from '@copain/trust';
import { listInvites } from '../wiring.ts';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import { needSignable, queued, signableSoon } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';

type CircleCommand = 'invite.create' | 'invite.list' | 'invite.revoke' | 'join.preview' | 'join';

/** Time for an answer to leave before the agent starts again. */
const restartAfterMs = 100;

/** `peer invite` and `peer join`: the agent's half. */
export function circleHandlers(
  agent: Agent,
  lifecycle: { restart: () => void; nowMs: () => number },
): Record<CircleCommand, ControlHandler> {
  return {
    'invite.create': async (args) => {
      const expiresMs = args.expiresMs;
      await needSignable(agent, args, 'an invite');
      const made = await agent.circle.invite({
        name: text(args, 'name'),
        may: serviceList(args.may),
        lifeMs: typeof expiresMs === 'number' ? expiresMs : undefined,
      });
      return { id: made.id, code: made.code, expiresAt: isoTime(made.expiresAtMs), warning: made.warning };
    },
    'invite.list': async () => ({
      invites: listInvites(agent.records.knowledge(), lifecycle.nowMs()).map(({ invite, state }) => ({
        id: invite.record.id,
        name: invite.record.name,
        may: invite.record.may,
        expiresAt: isoTime(invite.record.expiresAtMs),
        state,
      })),
    }),
    'invite.revoke': async (args) => {
      const id = text(args, 'id');
      if (!(await signableSoon(agent, args))) {
        await agent.later.add('revoke', id);
        throw queued(agent, `the revocation of invite ${id}`, `peer invite --revoke ${id} --force`);
      }
      await agent.circle.revoke(id);
      return {};
    },
    'join.preview': async (args) => await agent.circle.preview(text(args, 'code')),
    join: async (args, { progress }) => {
      const joined = await agent.circle.join(text(args, 'code'), progress);
      // Whose box this is counts from a start on; the answer goes out first.
      if (joined.roles !== undefined) setTimeout(lifecycle.restart, restartAfterMs);
      return { ...joined, friends: agent.namesOfFriends() };
    },
  };
}

function serviceList(value: unknown): Service[] {
  if (value === undefined) return [];
  const words: unknown[] = Array.isArray(value) ? value : [value];
  return words.map((word) => {
    const service = services.find((one) => one === word);
    if (service !== undefined) return service;
    throw new CommandError(
      ExitCode.usage,
      `'${String(word)}' is nothing a box can do; it may ${services.join(', ')}`,
    );
  });
}
