import { afterAll, afterEach } from 'vitest';
import { type Box, type BoxOptions, createBox } from './box.ts';
import { eventually } from './eventually.ts';
import { freshBlock } from './loopback.ts';
import type { Network } from './network.ts';
import { isHeard } from './status-json.ts';

/**
 * What one test file starts. Everything ends with the file, in reverse order; when a test fails, what the agents wrote
 * is printed.
 */
export interface Scene {
  /** Hands over something to be ended with the file. */
  use<Thing extends AsyncDisposable>(thing: Thing): Thing;
  box(options: BoxOptions): Box;
}

/** Call it once at the top of a test file. */
export function openScene(): Scene {
  const started = new AsyncDisposableStack();
  const boxes: Box[] = [];
  const tested = new Set<Box>();
  const printLog = (box: Box, when: string): void => {
    process.stderr.write(`\n===== ${box.name} (${box.host}), ${when}\n${box.log().slice(-20_000)}\n`);
  };
  afterEach(({ task }) => {
    for (const box of boxes) {
      tested.add(box);
      if (task.result?.state === 'fail') printLog(box, `during "${task.name}"`);
    }
  });
  afterAll(async () => {
    // Boxes that never saw a test end were started by a suite that did not get going.
    for (const box of boxes) if (!tested.has(box)) printLog(box, 'before any test');
    await started.disposeAsync();
  });
  return {
    use: (thing) => started.use(thing),
    box: (options) => {
      const box = started.use(createBox(options));
      boxes.push(box);
      return box;
    },
  };
}

/** What `guest` needs to join: the code of an invite by `host`. */
export async function inviteCode(host: Box, guest: string, more: readonly string[] = []): Promise<string> {
  const invite = await host.json<{ code: string }>(['invite', guest, '--may', 'dns,mail,witness', ...more]);
  return invite.code;
}

/** Lets `guest`, whose agent runs, into the circle of `host`. */
export async function join(guest: Box, host: Box): Promise<void> {
  const code = await inviteCode(host, guest.name);
  await guest.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
}

/** Does this box show all the others, and all of them up? */
export async function seesUp(box: Box, others: readonly string[]): Promise<boolean> {
  const { friends } = await box.status();
  return others.every((name) => friends.some((friend) => friend.name === name && isHeard(friend.state)));
}

/** Waits until every box shows every other one as up. */
export async function allTogether(boxes: readonly Box[], withinMs = 30_000): Promise<void> {
  for (const box of boxes) {
    const others = boxes.filter((other) => other !== box).map(({ name }) => name);
    await eventually(`${box.name} sees ${others.join(' and ')} up`, () => seesUp(box, others), withinMs);
  }
}

/** Waits until this box keeps mail for that domain of a friend's. */
export async function takesMail(box: Box, domain: string): Promise<void> {
  await eventually(`${box.name} takes mail for ${domain}`, async () =>
    (await box.status()).mail.some((row) => row.domain === domain && row.role === 'backup'),
  );
}

/** One box for each name, in its namespace of the network. `host`: where all listen; default: the address that each has there. */
export function boxesIn<const Names extends readonly string[]>(
  scene: Scene,
  network: Pick<Network, 'host' | 'namespace'>,
  names: Names,
  host?: string,
): { [At in keyof Names]: Box } {
  const boxes = names.map((name) =>
    scene.box({ name, host: host ?? network.host(name), namespace: network.namespace(name) }),
  );
  return boxes as { [At in keyof Names]: Box };
}

export interface Trio {
  alice: Box;
  bob: Box;
  carol: Box;
  /** Further addresses for MTAs and the like. */
  address: (n: number) => string;
}

/** Starts the boxes and makes them one circle, whose first invited all others. `prepare`: before a box starts. */
export async function oneCircle(boxes: readonly Box[], prepare?: (box: Box) => Promise<void>): Promise<void> {
  for (const box of boxes) {
    await box.init();
    await prepare?.(box);
    await box.up();
  }
  const [host, ...guests] = boxes;
  if (host !== undefined) for (const guest of guests) await join(guest, host);
  await allTogether(boxes);
}

/**
 * alice, bob and carol as three friends, each in a namespace of this network; alice invited both. `host`: where they
 * listen; default: the address that each has there.
 */
export async function threeFriendsIn(
  scene: Scene,
  network: Network,
  host?: string,
): Promise<Omit<Trio, 'address'>> {
  const boxes = boxesIn(scene, network, ['alice', 'bob', 'carol'], host);
  await oneCircle(boxes);
  const [alice, bob, carol] = boxes;
  return { alice, bob, carol };
}

/** alice, bob and carol as three friends on one machine; alice invited both. */
export async function threeFriends(scene: Scene): Promise<Trio> {
  const block = await freshBlock();
  const boxes = ['alice', 'bob', 'carol'].map((name, index) =>
    scene.box({ name, host: block.of(index + 1) }),
  );
  const [alice, bob, carol] = boxes as [Box, Box, Box];
  await oneCircle(boxes);
  return { alice, bob, carol, address: block.of };
}
