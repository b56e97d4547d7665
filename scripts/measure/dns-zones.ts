import { appendFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { querySoa } from '@copain/dns/io';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { join } from '../../test/e2e/lib/scene.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import type { Figures } from './figures.ts';
import { rssMiB } from './rss.ts';

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
  figures.record(`${what}: resident memory`, 'MiB', [rssMiB(secondary.pid() ?? 0)]);
}

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
