import { CommandError, ExitCode, isoTime } from '@copain/core';
import { sha256 } from '@copain/mesh/io';
import { compareWords } from '@copain/trust';
import { dnsChecks } from '../doctor-dns.ts';
import { netChecks } from '../doctor-net.ts';
import type { Agent } from './agent.ts';
import { addressHandlers } from './control-address.ts';
import { alertHandlers } from './control-alerts.ts';
import { text } from './control-args.ts';
import { awayHandlers } from './control-away.ts';
import { circleHandlers } from './control-circle.ts';
import { diskHandlers } from './control-disk.ts';
import { keyHandlers } from './control-keys.ts';
import { mailHandlers } from './control-mail.ts';
import { mailProofHandlers } from './control-mail-proof.ts';
import { mailRecipients } from './control-recipients.ts';
import { serviceHandlers } from './control-services.ts';
import { queued, signableSoon } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';
import { zoneHandlers } from './control-zones.ts';
import { waitCondition } from './wait-condition.ts';

/** The commands of the control socket. */
export const controlCommands = [
  'version',
  'status',
  'friends',
  'friends.remove',
  'friends.rename',
  'key.show',
  'key.export',
  'key.remove',
  'key.import',
  'key.rotate',
  'box.list',
  'box.add',
  'box.revoke',
  'key.words',
  'invite.create',
  'invite.list',
  'invite.revoke',
  'join.preview',
  'join',
  'zone.list',
  'zone.show',
  'zone.push',
  'zone.renew',
  'zone.diff',
  'zone.history',
  'zone.check',
  'zone.serve-with',
  'mail.list',
  'mail.show',
  'mail.flush',
  'mail.open',
  'mail.part',
  'mail.release',
  'mail.delete',
  'mail.put',
  'mail.take',
  'mail.recipients',
  'mail.receipts',
  'mail.dns',
  'mail.settle',
  'service.list',
  'service.judge',
  'drill',
  'away',
  'back',
  'address.show',
  'address.set',
  'alerts.list',
  'alerts.test',
  'alerts.mute',
  'doctor.line',
  'doctor.net',
  'doctor.dns',
  'doctor.mail',
  'doctor.disk',
  'events',
  'wait',
  'save',
  'reload',
  'stop',
] as const;
export type ControlCommand = (typeof controlCommands)[number];

/** How long a person waits for friends to dial back: their own time limit, and some more. */
const doctorAskMs = 20_000;

/** What each command does; each is one line of `peer`. Bad arguments are usage errors (64). */
export function controlHandlers(
  agent: Agent,
  lifecycle: {
    reload: (rename?: { name: string; to: string }) => Promise<string[]>;
    stop: () => void;
    restart: () => void;
    nowMs: () => number;
  },
): Record<ControlCommand, ControlHandler> {
  return {
    version: async () => ({ version: agent.version, name: agent.status().name, id: agent.identity.box.peer }),
    status: async () => agent.status(),
    friends: async () => ({ friends: agent.status().friends }),
    // `check`: say only whether it could be; the command then changes peer.toml, which is read together with the name.
    'friends.rename': async (args) => {
      const rename = { name: text(args, 'name'), to: text(args, 'to') };
      agent.mayRename(rename);
      if (agent.later.list().includes(`the removal of ${rename.name}`))
        throw new CommandError(ExitCode.badInput, `the removal of ${rename.name} waits to be signed`);
      return { restartNeededFor: args.check === true ? [] : await lifecycle.reload(rename) };
    },
    'friends.remove': async (args) => {
      const name = text(args, 'name');
      if (!(await signableSoon(agent, args))) {
        if (!agent.namesOfFriends().includes(name)) {
          throw new CommandError(ExitCode.badInput, `there is no friend called ${name}`, {
            hint: 'peer friends',
          });
        }
        await agent.later.add('remove', name);
        throw queued(agent, `the removal of ${name}`, `peer friends remove ${name} --force`);
      }
      const { forEverybody } = await agent.circle.remove(name);
      return { forEverybody };
    },
    ...keyHandlers(agent),
    'key.words': async (args) => {
      const name = text(args, 'name');
      const { roster } = agent.records.knowledge();
      const { ownerId } = agent.identity;
      const friend = [...roster.members.values()].find((one) => one.name === name && one.ownerId !== ownerId);
      if (friend === undefined) {
        throw new CommandError(ExitCode.badInput, `there is no friend called ${name}`, {
          hint: 'peer friends',
        });
      }
      return { name, words: compareWords([ownerId, friend.ownerId], sha256) };
    },

    ...circleHandlers(agent, lifecycle),

    ...zoneHandlers(agent),

    ...mailHandlers(agent),

    ...mailProofHandlers(agent),

    'mail.recipients': async (args) => await mailRecipients(agent, args),

    'doctor.line': async (args, { progress, signal }) => {
      const name = text(args, 'name');
      const forMs = typeof args.forMs === 'number' ? args.forMs : 10_000;
      progress(`sending to ${name} for ${forMs / 1000} s`);
      return { line: await agent.measureLine(name, forMs, signal) };
    },

    ...serviceHandlers(agent, lifecycle.nowMs),

    ...addressHandlers(agent),

    ...alertHandlers(agent, lifecycle.nowMs),

    ...awayHandlers(agent, lifecycle.nowMs),

    'doctor.net': async (args) => {
      const { dialback } = agent;
      const [port] = dialback.meshPorts();
      const isOpen = port === undefined || dialback.port(port).answer === undefined;
      if (args.askFriends === true || isOpen) await dialback.askNow(doctorAskMs);
      return { checks: [...netChecks(agent.netFacts()), ...agent.serviceChecks(['smtp', 'backup-mx'])] };
    },

    ...diskHandlers(agent),

    'doctor.dns': async () => {
      const mine = agent.status().zones.filter(({ primary }) => primary !== null);
      await Promise.all(mine.map(async ({ origin }) => await agent.zones.renew(origin)));
      const { zones } = agent.status();
      const dns = dnsChecks({ nowMs: lifecycle.nowMs(), listening: agent.zones.addresses(), zones });
      return { checks: [...dns, ...agent.serviceChecks(['dns'])] };
    },

    events: async (args, { item, signal }) => {
      const sinceMs = args.sinceMs;
      const show = (event: { atMs: number; kind: string; text: string }): void => {
        item({ at: isoTime(event.atMs), kind: event.kind, text: event.text });
      };
      agent.events.list(typeof sinceMs === 'number' ? sinceMs : 0).forEach(show);
      if (args.follow === true) {
        const unfollow = agent.events.follow(show);
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        unfollow();
      }
      return {};
    },
    wait: async (args, { signal }) => {
      const condition = waitCondition(agent, text(args, 'for'));
      const timeoutMs = typeof args.timeoutMs === 'number' ? args.timeoutMs : 60_000;
      const untilMs = lifecycle.nowMs() + timeoutMs;
      while (!(await condition())) {
        const leftMs = untilMs - lifecycle.nowMs();
        if (leftMs <= 0 || signal.aborted) {
          throw new CommandError(
            ExitCode.no,
            `still waiting for ${text(args, 'for')} after ${timeoutMs / 1000} s`,
          );
        }
        await agent.changed(Math.min(leftMs, 250), signal);
      }
      return {};
    },
    save: async (args, { progress }) =>
      await agent.save({
        file: text(args, 'file'),
        withMail: args.withMail !== false,
        passphrase: typeof args.passphrase === 'string' ? args.passphrase : undefined,
        progress,
      }),
    reload: async () => ({ restartNeededFor: await lifecycle.reload() }),
    stop: async () => {
      lifecycle.stop();
      return {};
    },
  };
}
