import { appendFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { querySoa } from '@copain/dns/io';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { join } from '../../test/e2e/lib/scene.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import type { Figures } from './figures.ts';
import { cpuSeconds, rssMiB } from './process-use.ts';

const owners = 4;
const patienceMs = 120_000;

/**
 * Start and memory of a box that answers 1,000 zones for four friends: from `peer up`, with nobody else there, until
 * every zone is answered from disk.
 */
export async function measureManyZones(
  figures: Figures,
  { zones, hostOf }: { zones: number; hostOf: (n: number) => string },
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const secondary = running.use(createBox({ name: 'secondary', host: hostOf(1) }));
  await secondary.init();
  await secondary.up();
  const origins: string[] = [];
  for (let n = 1; n <= owners; n++) {
    const owner = running.use(createBox({ name: `owner${n}`, host: hostOf(n + 1) }));
    await owner.init();
    const own = Array.from({ length: zones / owners }, (_, i) => `zone${i}.owner${n}.example`);
    writeZones(owner, own, secondary.host);
    origins.push(...own);
    await owner.up();
    await join(owner, secondary);
    await answered(secondary, own);
    await owner.stop();
  }
  await secondary.stop();
  const sinceMs = performance.now();
  await secondary.up();
  await answered(secondary, origins);
  const what = `dns, ${zones} zones of ${owners} friends`;
  figures.record(`${what}: start to all answered`, 's', [(performance.now() - sinceMs) / 1000]);
  figures.record(`${what}: CPU until then`, 's', [cpuSeconds(secondary.pid() ?? 0)]);
  figures.record(`${what}: resident memory`, 'MiB', [residentMiB(secondary)]);
}

/**
 * One owner of so many zones and his friends: how long until each friend answers all of them for the first time, what
 * both hold in memory then, and the owner's next start, with his friends there.
 */
export async function measureZonesOfOneOwner(
  figures: Figures,
  { zones, friends, hostOf }: { zones: number; friends: number; hostOf: (n: number) => string },
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const owner = running.use(createBox({ name: 'owner', host: hostOf(1) }));
  await owner.init();
  await owner.up();
  const secondaries: Box[] = [];
  for (let n = 1; n <= friends; n++) {
    const friend = running.use(createBox({ name: `friend${n}`, host: hostOf(n + 1) }));
    await friend.init();
    await friend.up();
    await join(friend, owner);
    secondaries.push(friend);
  }
  const origins = Array.from({ length: zones }, (_, i) => `zone${i}.example`);
  const what = `dns, ${zones} zones of one owner with ${friends} friends`;
  const sinceMs = performance.now();
  writeZones(owner, origins, secondaries[0]?.host ?? owner.host);
  await owner.well(['reload'], { limitMs: 60_000 });
  for (const box of secondaries) await answered(box, origins);
  figures.record(`${what}: added, to all answered by all`, 's', [(performance.now() - sinceMs) / 1000]);
  figures.record(`${what}: resident memory of a friend then`, 'MiB', secondaries.map(residentMiB));
  figures.record(`${what}: resident memory of the owner then`, 'MiB', [residentMiB(owner)]);
  await owner.stop();
  const startMs = performance.now();
  await owner.up();
  await answered(owner, origins);
  figures.record(`${what}: owner's start to all answered`, 's', [(performance.now() - startMs) / 1000]);
  figures.record(`${what}: CPU of the owner until then`, 's', [cpuSeconds(owner.pid() ?? 0)]);
  figures.record(`${what}: resident memory of the owner`, 'MiB', [residentMiB(owner)]);
}

const residentMiB = (box: Box): number => rssMiB(box.pid() ?? 0);

function writeZones(owner: Box, origins: readonly string[], server: string): void {
  const tables = origins.map((origin) => {
    owner.write(`${origin}.zone`, zoneText({ serial: 1, ns1: server, ns2: owner.host }));
    return `[[zone]]\norigin = "${origin}"\nfile = "${origin}.zone"\n`;
  });
  appendFileSync(joinPath(owner.home, 'peer.toml'), `\n${tables.join('\n')}`);
}

/** Waits until every zone is, asking for one after the other. */
async function answered(box: Box, origins: readonly string[]): Promise<void> {
  for (const origin of origins) {
    const serves = async (): Promise<boolean> => {
      const answer = await querySoa({ server: box.dns, origin, timeoutMs: 1000 });
      return answer.kind === 'answer' && answer.serial === 1;
    };
    await eventually(`${origin} is answered`, serves, patienceMs);
  }
}
