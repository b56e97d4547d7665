import { spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { ask } from '../../packages/cli/src/io/client.ts';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { type Network, startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { within } from '../../test/e2e/lib/run.ts';
import { join } from '../../test/e2e/lib/scene.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import type { Figures } from './figures.ts';
import { startAnchor } from './propagate-anchors.ts';

const origin = 'alice.example';
const friends = ['bob', 'carol', 'dave'] as const;
const large = 'large.example';
/** Beyond this a secondary counts as not caught up, and the figure shows this value. */
const giveUpMs = 60_000;
const burstLength = 5;
const nowMs = (): number => performance.timeOrigin + performance.now();

/** What the servers answer, as seen from a place of its own, every 2 ms. */
interface Poller extends AsyncDisposable {
  /** When each of the servers answered this serial or a newer one (ms since 1970), or `giveUpMs` after `sinceMs`. */
  answered(serial: number, sinceMs: number): Promise<number[]>;
}

function startPoller(namespace: string, zone: string, hosts: readonly string[]): Poller {
  const script = new URL('soa-poller.ts', import.meta.url).pathname;
  const [program, args] = within(namespace, [process.execPath, script, zone, ...hosts]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const seen = new Map<string, { serial: number; atMs: number }[]>(hosts.map((host) => [host, []]));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [host = '', serial = '', atMs = ''] = line.split(' ');
    if (serial !== '-') seen.get(host)?.push({ serial: Number(serial), atMs: Number(atMs) });
  });
  return {
    answered: async (serial, sinceMs) => {
      const first = (host: string) => seen.get(host)?.find((one) => one.serial >= serial)?.atMs;
      while (nowMs() < sinceMs + giveUpMs && hosts.some((host) => first(host) === undefined)) await pause(2);
      return hosts.map((host) => first(host) ?? sinceMs + giveUpMs);
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

/**
 * How long a zone change needs until all three secondaries answer with it: in good times, in a burst, after the friends
 * were cut off or restarted, after the primary came to another address; with a BIND and a Knot primary of NSD, Knot and
 * BIND in the same run. A change counts from when its file is in place, or its push or update is acknowledged.
 */
export async function measurePropagation(
  { record }: Figures,
  options: { rounds: number; cutsMs: readonly number[] },
): Promise<void> {
  const programs = ['ip', 'bridge', 'bash', 'nsd', 'knotd', 'named', 'nsupdate'];
  const lacking = whyNot({ programs, root: true }, 'propagation');
  if (lacking !== undefined) throw new Error(lacking);
  await measureOurs(record, options);
  for (const kind of ['bind', 'knot'] as const) await measureAnchor(record, kind, options);
}

async function measureOurs(
  record: Figures['record'],
  { rounds, cutsMs }: { rounds: number; cutsMs: readonly number[] },
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const names = ['alice', ...friends];
  const network = running.use(await startNetwork([...names, 'client'], { prefix: '203.0.113' }));
  const boxes = names.map((name) =>
    running.use(createBox({ name, host: '0.0.0.0', namespace: network.namespace(name) })),
  );
  const [alice, ...others] = boxes as [Box, Box, Box, Box];
  for (const box of boxes) {
    await box.init();
    await box.up();
  }
  for (const box of others) await join(box, alice);
  const folder = mkdtempSync(joinPath(tmpdir(), 'copain-propagate-'));
  running.defer(() => rmSync(folder, { recursive: true, force: true }));
  const hosts = friends.map((name) => network.host(name));
  const poller = running.use(startPoller(network.namespace('client'), origin, hosts));

  let serial = 1;
  /** Renames the next version into its place; gives when that was done. */
  const save = (): number => {
    serial += 1;
    const [ns1 = '', ns2 = ''] = hosts;
    const www = `192.0.2.${serial % 250}`;
    writeFileSync(joinPath(folder, 'new'), zoneText({ serial, ns1, ns2, www }));
    renameSync(joinPath(folder, 'new'), joinPath(folder, 'zone'));
    return nowMs();
  };
  const push = async (zone: string): Promise<number> => {
    await ask({
      socketPath: joinPath(alice.home, 'peer.sock'),
      command: 'zone.push',
      args: { origin: zone, force: false },
    });
    return nowMs();
  };
  const allAfter = async (sinceMs: number): Promise<number> =>
    Math.max(...(await poller.answered(serial, sinceMs))) - sinceMs;

  save();
  await alice.well(['zone', 'add', origin, '--file', joinPath(folder, 'zone')]);
  await allAfter(nowMs());
  const settle = () => pause(1500);

  const saved: number[] = [];
  const pushed: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await settle();
    saved.push(await allAfter(save()));
    await settle();
    save();
    pushed.push(Math.max(0, await allAfter(await push(origin))));
  }
  record('copain: file renamed, all 3 friends answer it', 'ms', saved);
  record('copain: pushed, all 3 friends answer it', 'ms', pushed);

  const bursts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await settle();
    for (let index = 1; index < burstLength; index++) {
      save();
      await pause(100);
    }
    bursts.push(await allAfter(save()));
  }
  record(`copain: burst of ${burstLength}, after the last`, 'ms', bursts);

  for (const cutMs of cutsMs) {
    await network.cut('alice');
    await pause(500);
    save();
    await pause(cutMs);
    await network.heal('alice');
    record(`copain: line back after ${cutMs / 1000} s, caught up`, 'ms', [await allAfter(nowMs())]);
    await eventually(
      'all see each other',
      async () => (await alice.status()).friends.every(({ state }) => isHeard(state)),
      giveUpMs,
    );
  }

  const restarted: number[] = [];
  for (const box of others) {
    await box.kill();
    save();
    await pause(2000);
    await box.up();
    restarted.push(await allAfter(nowMs()));
    await settle();
  }
  record(
    'copain: a friend restarted, caught up after it is ready',
    'ms',
    restarted.map((ms) => Math.max(0, ms)),
  );

  await network.cut('alice');
  save();
  await network.move('alice');
  await network.heal('alice');
  record('copain: primary at another address, nothing edited', 'ms', [await allAfter(nowMs())]);

  await measureLarge(record, { alice, network, folder, hosts, push });
}

async function measureLarge(
  record: Figures['record'],
  {
    alice,
    network,
    folder,
    hosts,
    push,
  }: {
    alice: Box;
    network: Network;
    folder: string;
    hosts: readonly string[];
    push: (zone: string) => Promise<number>;
  },
): Promise<void> {
  await using poller = startPoller(network.namespace('client'), large, hosts);
  const many = Array.from(
    { length: 99_993 },
    (_, index) => `h${index} IN A 10.0.${(index >> 8) & 255}.${index & 255}`,
  );
  const save = (serial: number): void => {
    const [ns1 = '', ns2 = ''] = hosts;
    const text = zoneText({ serial, ns1, ns2, www: `192.0.2.${serial}`, more: many });
    writeFileSync(joinPath(folder, 'large.new'), text);
    renameSync(joinPath(folder, 'large.new'), joinPath(folder, 'large'));
  };
  const allAfter = async (serial: number, sinceMs: number): Promise<number> =>
    Math.max(0, Math.max(...(await poller.answered(serial, sinceMs))) - sinceMs);
  save(1);
  const beganMs = nowMs();
  await alice.well(['zone', 'add', large, '--file', joinPath(folder, 'large')]);
  record('copain: 100,000 records added, all 3 friends answer', 'ms', [await allAfter(1, beganMs)]);
  const sincePush: number[] = [];
  const sinceRename: number[] = [];
  for (let serial = 2; serial < 7; serial++) {
    await pause(3000);
    save(serial);
    const renamedMs = nowMs();
    const pushedMs = await push(large);
    sincePush.push(await allAfter(serial, pushedMs));
    sinceRename.push(await allAfter(serial, renamedMs));
  }
  record('copain: one of 100,000 changed, after the push', 'ms', sincePush);
  record('copain: one of 100,000 changed, after the rename', 'ms', sinceRename);
}

async function measureAnchor(
  record: Figures['record'],
  kind: 'bind' | 'knot',
  { rounds, cutsMs }: { rounds: number; cutsMs: readonly number[] },
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const names = ['primary', 'nsd', 'knot', 'bind'];
  const network = running.use(await startNetwork([...names, 'client'], { prefix: '203.0.113' }));
  const folder = mkdtempSync(joinPath(tmpdir(), 'copain-propagate-'));
  running.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [primary, nsd, knot, bind] = names.map((name) => ({
    namespace: network.namespace(name),
    host: network.host(name),
    folder: joinPath(folder, name),
  }));
  if (!primary || !nsd || !knot || !bind) throw new Error('places are missing');
  const hosts = [nsd, knot, bind].map(({ host }) => host);
  const [ns1 = '', ns2 = ''] = hosts;
  const zone = zoneText({ serial: 1, ns1, ns2 });
  const anchor = running.use(
    await startAnchor({ kind, origin, zone, primary, secondaries: [nsd, knot, bind] }),
  );
  const poller = running.use(startPoller(network.namespace('client'), origin, hosts));
  let serial = 1;
  const change = async (): Promise<number> => {
    serial += 1;
    await anchor.change(serial % 250);
    return nowMs();
  };
  const allAfter = async (sinceMs: number): Promise<number> =>
    Math.max(...(await poller.answered(serial, sinceMs))) - sinceMs;
  await allAfter(nowMs());
  const single: number[] = [];
  const bursts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await pause(7000);
    single.push(await allAfter(await change()));
  }
  record(`${kind} primary: updated, all 3 secondaries answer it`, 'ms', single);
  await pause(7000);
  for (let index = 1; index < burstLength; index++) {
    await change();
    await pause(100);
  }
  bursts.push(await allAfter(await change()));
  record(`${kind} primary: burst of ${burstLength}, after the last`, 'ms', bursts);
  const [cutMs] = cutsMs;
  if (cutMs === undefined) return;
  await pause(7000);
  await network.cut('primary');
  await pause(500);
  await change();
  await pause(cutMs);
  await network.heal('primary');
  const name = `${kind} primary: line back after ${cutMs / 1000} s (${giveUpMs / 1000} s: not yet)`;
  record(name, 'ms', [await allAfter(nowMs())]);
}
