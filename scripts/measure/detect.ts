import { setTimeout as pause } from 'node:timers/promises';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { allTogether, join, takesMail } from '../../test/e2e/lib/scene.ts';
import type { FriendJson } from '../../test/e2e/lib/status-json.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { statusNow } from './box-status.ts';
import type { Figures } from './figures.ts';
import { startNamespacedCircle } from './namespaced-circle.ts';
import { allAlive, type SerfAgent, startSerf } from './serf.ts';

interface Detected {
  /** From kill -9 of one agent until the last of the others had noticed. */
  killedMs: number[];
  /** From the cut of one line until all others had agreed. */
  cutMs: number[];
  /** From the healed line until all saw each other again. */
  backMs: number[];
}

const giveUpMs = 180_000;
/** After everybody is there again, before the next fault. */
const restMs = 5000;

/**
 * How soon others notice that a process is gone, agree that a line is cut, and are together again, in circles of each of
 * `sizes` boxes, `times` times each, by turns with serf's WAN profile in a network of its own. And for three boxes how soon
 * a mail server whose port is blocked is agreed to be down.
 */
export async function measureDetecting(
  { record }: Figures,
  options: { sizes: readonly number[]; times: number; progress: (text: string) => void },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'nft', 'serf'], root: true }, 'the detector');
  if (lacking !== undefined) throw new Error(lacking);
  const seconds = (values: readonly number[]): number[] => values.map((ms) => ms / 1000);
  for (const size of options.sizes) {
    const names = Array.from({ length: size }, (_, index) => `b${index}`);
    options.progress(`N=${size}: ${options.times} kills and cuts, copain and serf at the same time`);
    const [ours, serf] = await Promise.all([
      detectByCopain(names, options.times),
      detectBySerf(names, options.times),
    ]);
    for (const [who, found] of [
      ['copain', ours],
      ['serf (WAN)', serf],
    ] as const) {
      record(`N=${size}: process killed, all know, ${who}`, 's', seconds(found.killedMs));
      record(`N=${size}: line cut, down agreed by all, ${who}`, 's', seconds(found.cutMs));
      record(`N=${size}: line healed, all see each other, ${who}`, 's', seconds(found.backMs));
    }
  }
  options.progress('N=3: port 25 of one box is blocked on the way');
  record(
    'N=3: port 25 blocked, smtp down agreed',
    's',
    seconds(await detectBlockedPort(Math.min(3, options.times))),
  );
}

/** Waits until each of these shows that one so, and gives what they show. */
async function whenAllSee(
  watchers: readonly Box[],
  name: string,
  isSo: (friend: FriendJson) => boolean,
): Promise<FriendJson[]> {
  return await Promise.all(
    watchers.map((box) =>
      eventually(
        `${box.name} sees what became of ${name}`,
        async () => {
          const friend = (await statusNow(box)).friends.find((one) => one.name === name);
          return friend !== undefined && isSo(friend) && friend;
        },
        giveUpMs,
      ),
    ),
  );
}

async function detectByCopain(names: readonly string[], times: number): Promise<Detected> {
  await using running = new AsyncDisposableStack();
  const network = running.use(await startNetwork(names));
  const boxes = await startNamespacedCircle(network, names, running);
  const found: Detected = { killedMs: [], cutMs: [], backMs: [] };
  for (let round = 0; round < times; round++) {
    const box = boxes[round % boxes.length] as Box;
    const others = boxes.filter((one) => one !== box);
    await pause(restMs);
    // Both clocks are this machine's: what an agent writes down is more exact than asking it often.
    const killedAtMs = Date.now();
    await box.kill();
    const seen = await whenAllSee(others, box.name, ({ state }) => !isHeard(state));
    found.killedMs.push(Math.max(...seen.map(({ sinceAt }) => Date.parse(sinceAt) - killedAtMs)));
    await box.up();
    await allTogether(boxes, 60_000);
    await pause(restMs);
    const cutAtMs = performance.now();
    await network.cut(box.name);
    await whenAllSee(others, box.name, ({ state, confirmed }) => state === 'down' && confirmed);
    found.cutMs.push(performance.now() - cutAtMs);
    await network.heal(box.name);
    const healedAtMs = performance.now();
    await Promise.all(
      boxes.map((one) =>
        eventually(
          `${one.name} sees all again`,
          async () => {
            const { friends } = await statusNow(one);
            return friends.every(({ state }) => isHeard(state));
          },
          giveUpMs,
        ),
      ),
    );
    found.backMs.push(performance.now() - healedAtMs);
  }
  return found;
}

async function detectBySerf(names: readonly string[], times: number): Promise<Detected> {
  await using running = new AsyncDisposableStack();
  const network = running.use(await startNetwork(names, { prefix: '10.84.0' }));
  const agents = await startSerf(network, names, (agent) => running.use(agent));
  const found: Detected = { killedMs: [], cutMs: [], backMs: [] };
  const until = async (
    who: readonly SerfAgent[],
    name: string,
    status: 'alive' | 'failed',
  ): Promise<number> => {
    const startMs = performance.now();
    await Promise.all(
      who.map((agent) =>
        eventually(
          `${agent.name} of serf calls ${name} ${status}`,
          async () => {
            await pause(100);
            return (await agent.members(status)).includes(name);
          },
          giveUpMs,
        ),
      ),
    );
    return performance.now() - startMs;
  };
  for (let round = 0; round < times; round++) {
    const agent = agents[round % agents.length] as SerfAgent;
    const others = agents.filter((one) => one !== agent);
    await pause(restMs);
    await agent.kill();
    found.killedMs.push(await until(others, agent.name, 'failed'));
    agent.start();
    await allAlive(agents);
    await pause(restMs);
    await network.cut(agent.name);
    found.cutMs.push(await until(others, agent.name, 'failed'));
    await network.heal(agent.name);
    found.backMs.push(await until(others, agent.name, 'alive'));
  }
  return found;
}

/** Three boxes whose own copain takes mail on port 25, as first and second MX; the way to the first one is blocked. */
async function detectBlockedPort(times: number): Promise<number[]> {
  await using running = new AsyncDisposableStack();
  const names = ['alice', 'bob', 'carol'];
  const network = running.use(await startNetwork(names));
  const boxes = names.map((name) =>
    running.use(createBox({ name, host: network.host(name), namespace: network.namespace(name) })),
  );
  const [alice, bob, carol] = boxes as [Box, Box, Box];
  const origin = 'alice.example';
  for (const box of boxes) {
    await box.init();
    const greeting = `[smtp]\nhostname = "${box.name}.${origin}"`;
    box.write('peer.toml', box.read('peer.toml').replace('[smtp]', greeting));
    await box.up();
  }
  for (const guest of [bob, carol]) await join(guest, alice);
  const zone = [
    '$TTL 300',
    '@ SOA bob hostmaster 1 3600 600 3600000 300',
    ...['bob', 'carol'].map((name) => `@ NS ${name}`),
    ...names.map((name, index) => `@ MX ${10 + index} ${name}`),
    ...boxes.map(({ name, host }) => `${name} A ${host}`),
  ];
  await alice.well(['zone', 'add', origin, '--file', alice.write('alice.zone', `${zone.join('\n')}\n`)]);
  await alice.well(['mail', 'add', origin, '--deliver', '127.0.0.1:2525']);
  for (const box of [bob, carol]) await takesMail(box, origin);
  const seen = async (wanted: { state: string; confirmed: boolean }): Promise<void> => {
    for (const box of [bob, carol]) {
      await eventually(
        `${box.name} sees the mail server ${wanted.state}`,
        async () =>
          (await statusNow(box)).services.some(
            ({ service, state, confirmed }) =>
              service === 'smtp' && state === wanted.state && confirmed === wanted.confirmed,
          ),
        300_000,
      );
    }
  };
  await seen({ state: 'up', confirmed: true });
  const foundMs: number[] = [];
  for (let round = 0; round < times; round++) {
    await network.block('alice', 25);
    const startMs = performance.now();
    await seen({ state: 'down', confirmed: true });
    foundMs.push(performance.now() - startMs);
    await network.unblock('alice');
    await seen({ state: 'up', confirmed: true });
  }
  return foundMs;
}
