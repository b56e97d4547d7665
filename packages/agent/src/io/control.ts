import { CommandError, ExitCode, isoTime, toHex } from '@copain/core';
import { parseName } from '@copain/dns';
import { readZoneFile } from '@copain/dns/io';
import { sha256 } from '@copain/mesh/io';
import { compareWords, type Service, services } from '@copain/trust';
import { dnsChecks } from '../doctor-dns.ts';
import { netChecks } from '../doctor-net.ts';
import { originText } from '../known-records.ts';
import { listInvites } from '../wiring.ts';
import type { Agent } from './agent.ts';
import { addressHandlers } from './control-address.ts';
import { awayHandlers } from './control-away.ts';
import { keyHandlers } from './control-keys.ts';
import { mailHandlers } from './control-mail.ts';
import { mailRecipients } from './control-recipients.ts';
import type { ControlHandler } from './control-socket.ts';

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
  'mail.recipients',
  'away',
  'back',
  'address.show',
  'address.set',
  'doctor.line',
  'doctor.net',
  'doctor.dns',
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
  const zoneNamed = (origin: string) => {
    const found = agent.status().zones.find((zone) => zone.origin === origin);
    if (found === undefined) {
      throw new CommandError(ExitCode.badInput, `this box has no zone ${origin}`, { hint: 'peer zone list' });
    }
    return found;
  };

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
    ...keyHandlers(agent, async (args, what) => {
      if (await signableSoon(agent, args)) return;
      throw new CommandError(ExitCode.unreachable, `${what} must be signed, and ${whyNotSigning(agent)}`, {
        hint: 'try again when a friend is there (peer friends), or add --force',
      });
    }),
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

    'invite.create': async (args) => {
      const expiresMs = args.expiresMs;
      if (!(await signableSoon(agent, args))) {
        throw new CommandError(
          ExitCode.unreachable,
          `an invite must be signed, and ${whyNotSigning(agent)}`,
          {
            hint: 'try again when a friend is there (peer friends), or add --force',
          },
        );
      }
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

    'zone.list': async () => ({ zones: agent.status().zones }),
    'zone.show': async (args) => ({ zone: zoneNamed(text(args, 'origin')) }),
    'zone.push': async (args) => {
      const origin = text(args, 'origin');
      zoneNamed(origin);
      const force = args.force === true;
      await signableSoon(agent, args);
      await agent.zones.push(origin, { force });
      const zone = zoneNamed(origin);
      if (zone.held === 'waiting') {
        throw queued(agent, `the file of ${origin}`, `peer zone push ${origin} --force`);
      }
      return { zone };
    },
    'zone.renew': async (args) => {
      const origin = text(args, 'origin');
      zoneNamed(origin);
      await agent.zones.renew(origin);
      return { zone: zoneNamed(origin) };
    },
    'zone.diff': async (args) => {
      const origin = text(args, 'origin');
      const zone = zoneNamed(origin);
      const diff = zone.role === 'primary' ? await agent.zones.diff(origin) : undefined;
      if (diff !== undefined) return diff;
      if (zone.role !== 'primary') {
        throw new CommandError(ExitCode.badInput, `${origin} is ${zone.owner}'s zone: its file is not here`, {
          hint: `peer zone show ${origin}`,
        });
      }
      throw new CommandError(ExitCode.unreachable, `no published version of ${origin} is on this box`, {
        hint: `peer zone show ${origin}`,
      });
    },
    'zone.serve-with': async () => ({ servers: agent.zones.serveWith() }),
    'zone.history': async (args) => {
      const origin = text(args, 'origin');
      zoneNamed(origin);
      const versions = await agent.zones.history(origin);
      return {
        versions: versions.map(({ epoch, sequence, serial, atMs, contentHash, sizeBytes }) => ({
          epoch,
          sequence,
          serial,
          at: isoTime(atMs),
          hash: toHex(contentHash),
          sizeBytes,
        })),
      };
    },
    'zone.check': async (args) => {
      const origin = parseName(text(args, 'origin'));
      if (origin.kind === 'problem') throw new CommandError(ExitCode.usage, `origin: ${origin.text}`);
      const file = text(args, 'file');
      const found = await readZoneFile({ path: file, origin: origin.name });
      const compared = agent.zones.compare(originText(origin.name), file, found);
      return {
        problems: [...found.problems, ...(compared?.problems ?? [])],
        serial: found.zone?.serial ?? null,
        publishedSerial: compared?.publishedSerial ?? null,
      };
    },

    ...mailHandlers(agent),

    'mail.recipients': async (args) => await mailRecipients(agent, args),

    'doctor.line': async (args, { progress, signal }) => {
      const name = text(args, 'name');
      const forMs = typeof args.forMs === 'number' ? args.forMs : 10_000;
      progress(`sending to ${name} for ${forMs / 1000} s`);
      return { line: await agent.measureLine(name, forMs, signal) };
    },

    ...addressHandlers(agent),

    ...awayHandlers(agent, lifecycle.nowMs),

    'doctor.net': async (args) => {
      const { dialback } = agent;
      const [port] = dialback.meshPorts();
      const isOpen = port === undefined || dialback.port(port).answer === undefined;
      if (args.askFriends === true || isOpen) await dialback.askNow(doctorAskMs);
      return { checks: netChecks(agent.netFacts()) };
    },

    'doctor.dns': async () => {
      const mine = agent.status().zones.filter(({ primary }) => primary !== null);
      await Promise.all(mine.map(async ({ origin }) => await agent.zones.renew(origin)));
      const { zones } = agent.status();
      return { checks: dnsChecks({ nowMs: lifecycle.nowMs(), listening: agent.zones.addresses(), zones }) };
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

/** Time for an answer to leave before the agent starts again. */
const restartAfterMs = 100;

/** How long a command waits for friends to say what this box signed before; right after a start they are just coming. */
const signableWithinMs = 3000;

/** May the box sign, or does the person say that it shall all the same (`force`)? */
async function signableSoon(agent: Agent, args: Record<string, unknown>): Promise<boolean> {
  if (agent.standing.maySign() || args.force === true) return true;
  if (agent.standing.finding().kind === 'cloned') return false;
  const patience = AbortSignal.timeout(signableWithinMs);
  const late = new Promise<void>((resolve) =>
    patience.addEventListener('abort', () => resolve(), { once: true }),
  );
  await Promise.race([agent.standing.signable(), late]);
  return agent.standing.maySign();
}

function whyNotSigning(agent: Agent): string {
  return agent.standing.finding().kind === 'cloned'
    ? "another box runs with this box's key"
    : 'no friend has told yet what this box signed before';
}

/** Accepted, kept, and done as soon as it may be signed (75). */
function queued(agent: Agent, what: string, anyway: string): CommandError {
  return new CommandError(
    ExitCode.queued,
    `${what} waits to be signed: ${whyNotSigning(agent)}; it is signed as soon as one has`,
    { hint: `to sign it now: ${anyway}` },
  );
}

function text(args: Record<string, unknown>, name: string): string {
  const value = args[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new CommandError(ExitCode.usage, `${name} is missing`);
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

/** `ready`, `friend:NAME` (up), `zone:ORIGIN[=SERIAL]` (served here, at least that serial), `mail-empty:DOMAIN`. */
function waitCondition(agent: Agent, wanted: string): () => Promise<boolean> {
  const [what = '', ...rest] = wanted.split(':');
  const subject = rest.join(':');
  switch (what) {
    case 'ready':
      return async () => agent.ready();
    case 'friend':
      return async () =>
        agent
          .status()
          .friends.some(
            (friend) => friend.name === subject && (friend.state === 'up' || friend.state === 'slow'),
          );
    case 'zone': {
      const [origin = '', serial] = subject.split('=');
      const least = serial === undefined ? undefined : Number(serial);
      if (least !== undefined && !Number.isInteger(least)) break;
      return async () => {
        const zone = agent.status().zones.find((one) => one.origin === plainName(origin));
        if (zone === undefined || zone.serial === null) return false;
        return least === undefined || ((zone.serial - least) | 0) >= 0;
      };
    }
    case 'mail-empty': {
      const domain = plainName(subject);
      return async () =>
        !(await agent.mail.list()).some(
          (message) => message.domain === domain && (message.state === 'held' || message.state === 'queued'),
        );
    }
    default:
      break;
  }
  throw new CommandError(
    ExitCode.usage,
    `cannot wait for '${wanted}': ready, friend:NAME, zone:ORIGIN[=SERIAL] or mail-empty:DOMAIN`,
  );
}

/** A domain or origin as configuration and records have it: lower case, no final dot. */
const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');
