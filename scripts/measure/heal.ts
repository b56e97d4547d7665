import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { join } from '../../test/e2e/lib/scene.ts';
import type { StatusJson } from '../../test/e2e/lib/status-json.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import { statusNow } from './box-status.ts';
import type { Figures } from './figures.ts';

/** Circles that are cut at the same time; each has namespaces of its own. */
const circlesAtOnce = 5;
/** Beyond this a circle counts as not healed, and the run says so. */
const giveUpMs = 120_000;

interface Healed {
  /** From the healed line to all three seeing each other up. */
  togetherMs: number;
  /** From there to a zone change by the box that was cut served at a friend, and one by the friend at the box. */
  bothWaysMs: number;
  moved: boolean;
}

/**
 * Cuts one box's line for `cutMs`, `times` times over several circles at once, and measures what it takes until all see
 * each other up and records pass both ways. In every second round the box comes back with another address.
 */
export async function measureHealing(
  { record }: Figures,
  options: { times: number; cutMs: number },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'bash'], root: true }, 'healing');
  if (lacking !== undefined) throw new Error(lacking);
  // Every agent is ended with this process, should it end early.
  process.setMaxListeners(10 + 3 * circlesAtOnce);
  const circles = Math.min(circlesAtOnce, options.times);
  const runs = Array.from({ length: circles }, async (_, index) => {
    const rounds = Math.floor((options.times - 1 - index) / circles) + 1;
    return await healOneCircle(index, { ...options, rounds });
  });
  // All end before one that failed is told, so that each takes its namespaces away.
  const ended = await Promise.allSettled(runs);
  const healed = ended.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const seconds = (values: readonly number[]): number[] => values.map((ms) => ms / 1000);
  for (const moved of [false, true]) {
    const some = healed.filter((one) => one.moved === moved);
    if (some.length === 0) continue;
    const what = `${options.cutMs / 1000} s cut${moved ? ', back at another address' : ''}`;
    record(`${what}: all see each other up after`, 's', seconds(some.map((one) => one.togetherMs)));
    record(`${what}: then a zone change both ways`, 's', seconds(some.map((one) => one.bothWaysMs)));
  }
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function healOneCircle(index: number, options: { cutMs: number; rounds: number }): Promise<Healed[]> {
  await using running = new AsyncDisposableStack();
  const names = ['alice', 'bob', 'carol'];
  const network = running.use(await startNetwork(names, { prefix: '203.0.113' }));
  const boxes = names.map((name) =>
    running.use(createBox({ name, host: '0.0.0.0', namespace: network.namespace(name) })),
  );
  const [alice, bob, carol] = boxes as [Box, Box, Box];
  for (const box of boxes) {
    await box.init();
    await box.up();
  }
  await join(bob, alice);
  await join(carol, alice);
  await eventually('all see each other', () => allUp(boxes), 30_000);
  const folder = mkdtempSync(joinPath(tmpdir(), 'copain-heal-'));
  running.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = (box: Box): string => joinPath(folder, `${box.name}.zone`);
  const save = (box: Box, serial: number): void =>
    writeFileSync(file(box), zoneText({ serial, ns1: network.host('bob'), ns2: network.host('carol') }));
  const change = async (serial: number): Promise<void> => {
    for (const box of [alice, bob]) save(box, serial);
    await eventually('a change passes both ways', () => passed(alice, bob, serial), giveUpMs);
  };
  for (const box of [alice, bob]) {
    save(box, 1);
    await box.well(['zone', 'add', `${box.name}.example`, '--file', file(box)]);
  }
  await change(2);

  const healed: Healed[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const moved = (index + round) % 2 === 1;
    await network.cut('alice');
    await pause(options.cutMs);
    if (moved) await network.move('alice');
    await network.heal('alice');
    const healedAtMs = performance.now();
    await eventually('all see each other again', () => allUp(boxes), giveUpMs);
    const togetherAtMs = performance.now();
    await change(round + 3);
    const bothWaysMs = performance.now() - togetherAtMs;
    healed.push({ togetherMs: togetherAtMs - healedAtMs, bothWaysMs, moved });
  }
  return healed;
}

async function allUp(boxes: readonly Box[]): Promise<boolean> {
  const states = await Promise.all(boxes.map(statusNow));
  return states.every(
    ({ friends }) => friends.length === boxes.length - 1 && friends.every((friend) => isHeard(friend.state)),
  );
}

async function passed(one: Box, other: Box, serial: number): Promise<boolean> {
  const [mine, his] = await Promise.all([statusNow(one), statusNow(other)]);
  const serves = (status: StatusJson, owner: Box): boolean =>
    status.zones.some((zone) => zone.origin === `${owner.name}.example` && zone.serial === serial);
  return serves(mine, other) && serves(his, one);
}
