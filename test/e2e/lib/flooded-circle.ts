import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Box, createBox } from './box.ts';
import { eventually } from './eventually.ts';
import { type FloodCount, type FloodOrder, startFlood } from './flood.ts';
import { type Network, startNetwork } from './network.ts';
import { runWell } from './run.ts';
import { allTogether, join } from './scene.ts';
import { isHeard } from './status-json.ts';

/**
 * A circle whose member alice is flooded. bob stays connected; carol starts afresh, again and again. alice is kept from
 * dialling carol, so that it is carol's own dial that has to get through. mallory is a namespace with addresses in 250
 * networks.
 */
export interface FloodedCircle extends AsyncDisposable {
  alice: Box;
  bob: Box;
  carol: Box;
  network: Network;
  /** Where a crowd comes from: 250 networks, mallory's one address, or carol's own. */
  flood(
    from: 'everywhere' | 'mallory' | 'carol',
    order: Pick<FloodOrder, 'perSecond' | 'forMs' | 'kinds'>,
  ): Promise<Flooded>;
}

interface Flooded {
  count: FloodCount;
  /** From carol's agent being ready until she and alice see each other up. */
  togetherMs: number[];
  /** Share of one core that alice's agent used. */
  cpu: number;
  rssBytes: number[];
  /** What anybody said against bob or alice meanwhile. */
  doubts: string[];
}

const spread = '198.18';

export async function startFloodedCircle(): Promise<FloodedCircle> {
  await using building = new AsyncDisposableStack();
  const names = ['alice', 'bob', 'carol', 'mallory'];
  const network = building.use(await startNetwork(names));
  const inMallory = { namespace: network.namespace('mallory') };
  // The whole of a loopback device's net is local: any of its addresses may be a source.
  await runWell(['ip', 'addr', 'add', `${spread}.0.1/16`, 'dev', 'lo'], inMallory);
  const boxes = ['alice', 'bob', 'carol'].map((name) =>
    building.use(createBox({ name, host: network.host(name), namespace: network.namespace(name) })),
  );
  const [alice, bob, carol] = boxes as [Box, Box, Box];
  for (const box of boxes) {
    await box.init();
    await box.up();
  }
  await join(bob, alice);
  await join(carol, alice);
  await allTogether(boxes);
  const rules = `add table ip cut; add chain ip cut out { type filter hook output priority 0; };
    add rule ip cut out ip daddr ${network.host('carol')} tcp flags syn / syn,ack drop`;
  await runWell(['nft', rules], { namespace: network.namespace('alice') });
  const { id: peer } = await alice.status();
  const running = building.move();

  return {
    alice,
    bob,
    carol,
    network,
    flood: async (from, order) => {
      const since = new Date().toISOString();
      const pid = alice.pid() ?? 0;
      const rssBytes: number[] = [];
      const togetherMs: number[] = [];
      const cpuBefore = cpuSeconds(pid);
      const startMs = performance.now();
      await using crowd = startFlood(network.namespace(from === 'carol' ? 'carol' : 'mallory'), {
        ...order,
        peer,
        host: alice.mesh.host,
        port: alice.mesh.port,
        ...(from === 'everywhere' ? { spread } : {}),
      });
      await pause(Math.min(2000, order.forMs / 4));
      // As often as the time of the flood allows; each try ends within it.
      while (performance.now() - startMs < order.forMs - 5000) {
        await carol.stop();
        await eventually(
          'alice sees that carol left',
          async () => !isHeard(await stateOf(alice, 'carol')),
          30_000,
        );
        await carol.up();
        const readyMs = performance.now();
        await eventually(
          'carol and alice see each other up',
          async () => isHeard(await stateOf(alice, 'carol')) && isHeard(await stateOf(carol, 'alice')),
          order.forMs,
        );
        togetherMs.push(performance.now() - readyMs);
        rssBytes.push(rssOf(pid));
      }
      const cpu = (cpuSeconds(pid) - cpuBefore) / ((performance.now() - startMs) / 1000);
      const count = await crowd.ended;
      const doubts: string[] = [];
      for (const box of [alice, bob]) {
        const { events } = await box.status();
        const bad = events.filter(
          ({ at, kind }) => at > since && /^friend\.(suspect|down|partial)/.test(kind),
        );
        doubts.push(
          ...bad.map(({ text }) => `${box.name}: ${text}`).filter((text) => !text.includes(': carol')),
        );
      }
      return { count, togetherMs, cpu, rssBytes, doubts };
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

async function stateOf(box: Box, friend: string): Promise<string | undefined> {
  const { friends } = await box.status();
  return friends.find(({ name }) => name === friend)?.state;
}

/** Of the process and its threads, user and system (proc(5), fields 14 and 15), in clock ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rssOf(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
