import { CommandError, ExitCode, isoTime, toHex } from '@copain/core';
import { parseName } from '@copain/dns';
import { readZoneFile } from '@copain/dns/io';
import { originText } from '../known-records.ts';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import { queued, signableSoon } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';

type ZoneCommand =
  | 'zone.list'
  | 'zone.show'
  | 'zone.push'
  | 'zone.renew'
  | 'zone.diff'
  | 'zone.serve-with'
  | 'zone.history'
  | 'zone.check';

/** `peer zone …`: the agent's half. */
export function zoneHandlers(agent: Agent): Record<ZoneCommand, ControlHandler> {
  const zoneNamed = (origin: string) => {
    const found = agent.status().zones.find((zone) => zone.origin === origin);
    if (found === undefined) {
      throw new CommandError(ExitCode.badInput, `this box has no zone ${origin}`, { hint: 'peer zone list' });
    }
    return found;
  };

  return {
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
  };
}
