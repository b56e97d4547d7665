import { setTimeout as pause } from 'node:timers/promises';
import { joinWithRelay, upAtHome } from '../../test/e2e/lib/at-home.ts';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { startNatNetwork } from '../../test/e2e/lib/nat-network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { allTogether } from '../../test/e2e/lib/scene.ts';
import type { StatusJson } from '../../test/e2e/lib/status-json.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { statusNow } from './box-status.ts';
import type { Figures } from './figures.ts';

/** Circles that are cut at the same time; each has namespaces of its own. */
const circlesAtOnce = 5;
/** Beyond this a circle counts as not healed, and the run says so. */
const giveUpMs = 120_000;
/** A line that is cut in each round, by turns: those of the relayed pair, and that of the relay. */
const turns = ['alice', 'bob', 'carol'] as const;

interface Healed {
  cut: (typeof turns)[number];
  tookMs: number;
}

/**
 * Two boxes behind NAT and a public one that relays for them: cuts one line for `cutMs`, `times` times over several
 * circles at once, and measures what it takes until the relayed pair see each other up again.
 */
export async function measureRelayedHealing(
  { record }: Figures,
  options: { times: number; cutMs: number },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'bash', 'nft'], root: true }, 'healing behind NAT');
  if (lacking !== undefined) throw new Error(lacking);
  // Every agent is ended with this process, should it end early.
  process.setMaxListeners(10 + turns.length * circlesAtOnce);
  const circles = Math.min(circlesAtOnce, options.times);
  const runs = Array.from({ length: circles }, async (_, index) => {
    const rounds = Math.floor((options.times - 1 - index) / circles) + 1;
    return await healOneCircle(index, { ...options, rounds });
  });
  // All end before one that failed is told, so that each takes its namespaces away.
  const ended = await Promise.allSettled(runs);
  const healed = ended.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const what = `${options.cutMs / 1000} s cut`;
  const seconds = (some: readonly Healed[]): number[] => some.map(({ tookMs }) => tookMs / 1000);
  for (const cut of turns) {
    const some = healed.filter((one) => one.cut === cut);
    const whose = cut === 'carol' ? 'of the relay' : `of ${cut}, behind NAT`;
    if (some.length > 0) record(`${what} ${whose}: relayed pair up after`, 's', seconds(some));
  }
  if (healed.length > 0) record(`${what}: relayed pair up after`, 's', seconds(healed));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function healOneCircle(index: number, options: { cutMs: number; rounds: number }): Promise<Healed[]> {
  await using running = new AsyncDisposableStack();
  const network = running.use(
    await startNatNetwork([
      { box: 'alice', outside: '198.18.1.2', nat: true },
      { box: 'bob', outside: '198.19.1.2', nat: true },
      { box: 'carol', outside: '203.0.113.1', nat: false },
    ]),
  );
  const [alice, bob, carol] = turns.map((name) =>
    running.use(createBox({ name, host: network.host(name), namespace: network.namespace(name) })),
  ) as [Box, Box, Box];
  const boxes = [alice, bob, carol];
  for (const box of boxes) await upAtHome(box);
  await joinWithRelay(alice, carol);
  await joinWithRelay(bob, carol);
  await allTogether(boxes, 60_000);
  await eventually('the pair is relayed', () => areRelayed(alice, bob, ''), giveUpMs);

  const healed: Healed[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const cut = turns[(index + round) % turns.length] ?? 'alice';
    await network.cut(cut);
    await pause(options.cutMs);
    await network.heal(cut);
    const [healedAtMs, healedAt] = [performance.now(), new Date().toISOString()];
    await eventually('the relayed pair is up again', () => areRelayed(alice, bob, healedAt), giveUpMs);
    healed.push({ cut, tookMs: performance.now() - healedAtMs });
    await allTogether(boxes, giveUpMs);
  }
  return healed;
}

/** Does each see the other up through a relay, and was each heard since? */
async function areRelayed(one: Box, other: Box, since: string): Promise<boolean> {
  const [mine, his] = await Promise.all([statusNow(one), statusNow(other)]);
  const sees = ({ friends }: StatusJson, name: string): boolean =>
    friends.some(
      (friend) =>
        friend.name === name &&
        isHeard(friend.state) &&
        friend.path === 'relayed' &&
        (friend.lastHeardAt ?? '') > since,
    );
  return sees(mine, other.name) && sees(his, one.name);
}
