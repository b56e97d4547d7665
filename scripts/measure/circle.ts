/**
 * The figures of one working circle on this machine: cold start, one zone change at both friends, a stopped agent
 * noticed, held mail at the owner's server after his return, memory of an idle agent, one command. Bounded: some two
 * minutes. Bare Node beside us is the anchor for memory and for the command's time.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { querySoa } from '@copain/dns/io';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { startRecordingMta } from '../../test/e2e/lib/recording-mta.ts';
import { send } from '../../test/e2e/lib/smtp-dialogue.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import type { Figures } from './figures.ts';
import { rssMiB } from './process-use.ts';

const domain = 'alice.example';
export async function measureCircle({ record }: Figures): Promise<void> {
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name, i) =>
    running.use(createBox({ name, host: block.of(i + 1) })),
  ) as [Box, Box, Box];
  const folder = mkdtempSync(join(tmpdir(), 'copain-bench-'));
  running.defer(() => rmSync(folder, { recursive: true, force: true }));
  const zoneFile = join(folder, 'zone');
  const save = (serial: number): void =>
    writeFileSync(zoneFile, zoneText({ serial, ns1: bob.host, ns2: carol.host }));
  const serialAt = async (box: Box): Promise<number | undefined> => {
    const answer = await querySoa({ server: box.dns, origin: domain, timeoutMs: 500 });
    return answer.kind === 'answer' ? answer.serial : undefined;
  };
  /** Asks every 2 ms, so that what is measured is the circle and not the asking. */
  async function serves(box: Box, serial: number): Promise<number> {
    for (;;) {
      if ((await serialAt(box)) === serial) return performance.now();
      await pause(2);
    }
  }
  async function timed(work: () => Promise<unknown>): Promise<number> {
    const sinceMs = performance.now();
    await work();
    return performance.now() - sinceMs;
  }

  const starts: number[] = [];
  for (const box of [alice, bob, carol]) {
    await box.init();
    starts.push(await timed(() => box.up()));
  }
  record('cold start: `peer up` to ready', 'ms', starts);

  for (const friend of [bob, carol]) {
    const code = (await alice.well(['invite', friend.name])).trim();
    await friend.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n` });
  }
  await eventually('all see each other', async () =>
    (await carol.status()).friends.every((friend) => isHeard(friend.state)),
  );

  save(1);
  await alice.well(['zone', 'add', domain, '--file', zoneFile]);
  await Promise.all([serves(bob, 1), serves(carol, 1)]);
  const changes: number[] = [];
  for (let serial = 2; serial <= 11; serial++) {
    const sinceMs = performance.now();
    save(serial);
    const seen = await Promise.all([serves(bob, serial), serves(carol, serial)]);
    changes.push(Math.max(...seen) - sinceMs);
  }
  record('zone file saved to both friends answering', 'ms', changes);

  const node = process.execPath;
  const commands: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < 9; i++) {
    commands.push(await timed(() => alice.well(['status', '--json'])));
    bare.push(await timed(async () => execFileSync(node, ['-e', '0'])));
  }
  record('peer status --json', 'ms', commands);
  record('bare node, for comparison', 'ms', bare);

  await pause(10_000);
  record(
    'resident memory of an idle agent, two friends',
    'MiB',
    [alice, bob, carol].map((box) => rssMiB(box.pid() ?? 0)),
  );
  const bareRss = execFileSync(node, ['-p', 'process.memoryUsage.rss() / 1048576'], { encoding: 'utf8' });
  record('bare node, for comparison', 'MiB', [Number(bareRss)]);

  const mta = running.use(await startRecordingMta({ address: { host: alice.host, port: 2526 } }));
  await alice.well(['mail', 'add', domain, '--deliver', `${mta.address.host}:${mta.address.port}`]);
  await eventually('bob takes her mail', async () =>
    (await send(bob.smtp, `me@${domain}`, 'live')).startsWith('250'),
  );
  const noticed: number[] = [];
  const delivered: number[] = [];
  const afterReady: number[] = [];
  for (let round = 0; round < 3; round++) {
    const sinceMs = performance.now();
    const stopping = alice.stop();
    await eventually('bob notices', async () =>
      (await bob.status()).friends.some((friend) => friend.name === 'alice' && !isHeard(friend.state)),
    );
    noticed.push(performance.now() - sinceMs);
    await stopping;
    const before = mta.messages.length;
    const answer = await send(bob.smtp, `me@${domain}`, `held ${round}`);
    if (!answer.startsWith('250')) throw new Error(`bob did not hold the message: ${answer}`);
    const backMs = performance.now();
    await alice.up();
    const readyMs = performance.now();
    await eventually('it is delivered', () => mta.messages.length > before);
    const arrivedMs = mta.messages.at(-1)?.atMs ?? performance.now();
    delivered.push(arrivedMs - backMs);
    afterReady.push(arrivedMs - readyMs);
  }
  record('order to stop to the friend noticing', 'ms', noticed);
  record("`peer up` to the held message at the owner's server", 'ms', delivered);
  record("ready to the held message at the owner's server", 'ms', afterReady);
}
