import { CommandError, ExitCode, parseDuration, visible } from '@copain/core';
import type { Session } from './session.ts';

/** What the agent found: see `DrillReport` there. */
interface DrillReport {
  service: string;
  name: string;
  standby: string;
  friends: { name: string; thereAfterMs: number | null; homeAfterMs: number | null }[];
  servers: { server: string; answered: 'standby' | 'other' | 'silent' }[];
  tries: { up: number; down: number; why: string | null };
  held: boolean;
}

const after = (ms: number | null): string =>
  ms === null ? 'did not say so' : `after ${(ms / 1000).toFixed(1)} s`;
const serverTexts: Record<DrillReport['servers'][number]['answered'], string> = {
  standby: 'answers it',
  other: 'answers another serial',
  silent: 'not reached from here',
};

function reportText(report: DrillReport): string {
  const { service, name, standby, friends, servers, tries, held } = report;
  const lines = [
    `${visible(service)} (${name}) at ${visible(standby)}: ${held ? 'held' : 'did not hold'}`,
    ...friends.map(
      (one) => `  ${visible(one.name)}  there ${after(one.thereAfterMs)}, home ${after(one.homeAfterMs)}`,
    ),
    ...servers.map(({ server, answered }) => `  ${visible(server)}  ${serverTexts[answered]}`),
    `  the standby answered ${tries.up} of ${tries.up + tries.down} tries${tries.why === null ? '' : `: ${visible(tries.why)}`}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** `peer drill [--friend F] [--for 10m]`: 0 where everything held, 1 where not, 65 where there is nothing to rehearse. */
export async function drill(
  session: Session,
  options: { friend?: string | undefined; for: string; force?: boolean | undefined },
): Promise<number> {
  const forMs = parseDuration(options.for);
  if (forMs === undefined)
    throw new CommandError(ExitCode.usage, `--for: "${visible(options.for)}" is no time span: 10m, 30s`);
  const { drills } = (await session.ask(
    'drill',
    {
      forMs,
      force: options.force === true,
      ...(options.friend === undefined ? {} : { friend: options.friend }),
    },
    { onProgress: (text) => session.say(visible(text, 200)), silenceMs: forMs + 120_000 },
  )) as { drills: DrillReport[] };
  session.answer('drill', { drills }, drills.map(reportText).join(''));
  return drills.every(({ held }) => held) ? ExitCode.done : ExitCode.no;
}
