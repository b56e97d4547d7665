import { readFile } from 'node:fs/promises';
import { CommandError, ExitCode, isoTime } from '@copain/core';
import { nameOf } from '@copain/dns';
import { signatureVerifier } from '@copain/dns/io';
import { swapQuorum } from '@copain/trust';
import { serviceZone } from '../config-across.ts';
import { readStandby, type StandbyConfig } from '../config-service.ts';
import { standbySets } from '../own-services.ts';
import { readSignedStandby, signedUntilMs, signedUntilText, standbyFault } from '../signed-standby.ts';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import { needSignable } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';

type ServiceCommand = 'service.list' | 'service.judge' | 'drill';

/** Longer than this is no rehearsal but a move: peer service pin NAME down. */
const drillForAtMostMs = 86_400_000;

/** `peer service …`: the agent's half. */
export function serviceHandlers(agent: Agent, nowMs: () => number): Record<ServiceCommand, ControlHandler> {
  return {
    'service.list': async () => {
      const { takeovers } = agent.takeover;
      return {
        services: takeovers.services().map(({ ownerId, entry, standing, sinceMs, certified }) => ({
          owner: agent.nameOfOwner(ownerId),
          service: entry.name,
          name: entry.record,
          check: entry.check,
          standby: agent.nameOfOwner(entry.standby),
          answered: standing.onStandby ? 'standby' : 'home',
          by: standing.by,
          pin: entry.pin,
          number: standing.number,
          sinceAt: isoTime(sinceMs),
          votes: standing.by === 'friends' ? (certified?.voters ?? []).map(agent.nameOfPeer) : [],
          afterMs: entry.afterMs,
          maxMs: entry.maxMs,
          holdMs: entry.holdMs,
        })),
      };
    },
    drill: async (args, { progress, signal }) => {
      const forMs = typeof args.forMs === 'number' ? args.forMs : 600_000;
      if (forMs < 1000 || forMs > drillForAtMostMs)
        throw new CommandError(ExitCode.badInput, 'a rehearsal lasts from a second to a day', {
          hint: 'peer service pin NAME down',
        });
      const friend = typeof args.friend === 'string' ? args.friend : undefined;
      await needSignable(agent, args, 'a rehearsal');
      return { drills: await agent.drill({ friend, forMs }, { progress, signal }) };
    },
    // Says no (65) where friends could not stand in, before `peer.toml` is changed; what is worth knowing, as notes.
    'service.judge': async (args) => {
      const record = text(args, 'record');
      const written = Array.isArray(args.standby) ? args.standby : [];
      const standby = written.flatMap((one): StandbyConfig[] => {
        const read = typeof one === 'string' ? readStandby(one) : undefined;
        return read === undefined ? [] : [read];
      });
      const own = agent.status().zones.filter(({ role }) => role === 'primary');
      const zone = serviceZone(
        own.map(({ origin }) => origin),
        record,
      );
      if (zone === undefined)
        throw new CommandError(ExitCode.badInput, `${record} is in no zone of this box`, {
          hint: 'peer zone list',
        });
      const stranger = standby.find(({ friend }) => !agent.namesOfFriends().includes(friend));
      if (stranger !== undefined)
        throw new CommandError(ExitCode.badInput, `there is no friend called ${stranger.friend}`, {
          hint: 'peer friends',
        });
      const content = agent.zones.content(agent.identity.ownerId, zone);
      if (content === undefined)
        throw new CommandError(ExitCode.unreachable, `${zone} is not answered here yet`, {
          hint: `peer zone show ${zone}`,
        });
      const name = nameOf(record);
      const bare = { sets: standbySets(standby), ttlS: 300 };
      const file = typeof args.signed === 'string' ? args.signed : undefined;
      const signed =
        file === undefined
          ? { kind: 'sets' as const, ...bare }
          : readSignedStandby(
              { text: await readFile(file, 'latin1'), file },
              { origin: nameOf(zone), record: name, wanted: bare.sets, ttlS: bare.ttlS },
            );
      if (signed.kind === 'problem') throw new CommandError(ExitCode.badInput, signed.text);
      const verify = signatureVerifier();
      const fault = standbyFault(content, { record, name, ...signed }, { nowMs: nowMs(), verify });
      if (fault !== undefined) {
        const hint = content.signed && file === undefined ? 'peer service add … --signed FILE' : undefined;
        throw new CommandError(ExitCode.badInput, fault, { hint });
      }
      const untilMs = content.signed ? signedUntilMs(signed.sets) : undefined;
      return {
        notes: [...notesOf(agent, zone), ...(untilMs === undefined ? [] : [signedUntilText(untilMs)])],
      };
    },
  };
}

function notesOf(agent: Agent, zone: string): string[] {
  const others = agent.namesOfFriends().length;
  const servers = agent.status().zones.find(({ origin }) => origin === zone)?.friends ?? [];
  const few = `a takeover needs the word of ${swapQuorum(others)} friends, and the circle has ${others} beside you: until then only peer service pin and peer drill move it`;
  return [
    ...(others < swapQuorum(others) ? [few] : []),
    ...(servers.length === 0 ? [`no friend answers ${zone} yet`] : []),
  ];
}
