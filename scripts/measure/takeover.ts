import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Box } from '../../test/e2e/lib/box.ts';
import { dig } from '../../test/e2e/lib/dig.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { type Network, startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { within } from '../../test/e2e/lib/run.ts';
import { zoneText } from '../../test/e2e/lib/zone-text.ts';
import type { Figures } from './figures.ts';
import { startNamespacedCircle } from './namespaced-circle.ts';

const origin = 'alice.example';
const www = `www.${origin}`;
const lookEveryMs = 250;
/** A short cut, and how long the line is there between two. */
const shortCutMs = 40_000;
const shortRestMs = 20_000;

/**
 * How long after the cut of a box's line each of its secondaries answers the standby of its web site, with the stock
 * `--after`, in circles of each of `sizes` boxes; and how often it moves, and how often a friend is alerted, when the line is
 * cut ten times for 40 s. Real processes, each behind a router of its own, at addresses that
 * nobody routes, so that each counts as a network of its own; a site at home and one at a friend's.
 */
export async function measureTakeover(
  { record }: Figures,
  options: { sizes: readonly number[]; times: number; progress: (text: string) => void },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'bash', 'dig'], root: true }, 'takeovers');
  if (lacking !== undefined) throw new Error(lacking);
  for (const size of options.sizes) {
    await using running = new AsyncDisposableStack();
    const names = ['alice', ...Array.from({ length: size - 1 }, (_, index) => `friend${index}`)];
    const network = running.use(await startNetwork([...names, 'client']));
    const boxes = await startNamespacedCircle(network, names, running);
    const scene = await openSite(network, boxes, running);

    const swapped: number[] = [];
    const home: number[] = [];
    for (let round = 0; round < options.times; round++) {
      options.progress(
        `N=${size}: alice's line is cut until every secondary answers the standby (3 minutes)`,
      );
      await network.cut('alice');
      swapped.push(...(await scene.answeredAfter(scene.standby, 300_000)));
      await network.heal('alice');
      home.push(...(await scene.answeredAfter(scene.home, 300_000)));
    }
    const seconds = (values: readonly number[]): number[] => values.map((ms) => ms / 1000);
    record(`N=${size}: line cut, standby answered, every secondary`, 's', seconds(swapped));
    record(`N=${size}: line back, home answered (--hold 60s)`, 's', seconds(home));

    options.progress(`N=${size}: ten cuts of ${shortCutMs / 1000} s (10 minutes)`);
    const moves = scene.countMoves();
    for (let cut = 0; cut < 10; cut++) {
      await network.cut('alice');
      await pause(shortCutMs);
      await network.heal('alice');
      await pause(shortRestMs);
    }
    record(`N=${size}: ten cuts of 40 s, moves to the standby`, '', [await moves.stop()]);
    // What comes back within minutes is the same trouble: one message for the long cuts and all of these.
    record(`N=${size}: alerts about alice at a friend, in all`, '', [scene.alerts()]);
  }
}

interface Site {
  home: string;
  standby: string;
  /** How long each secondary took, from now, until it answered this address. */
  answeredAfter(address: string, withinMs: number): Promise<number[]>;
  /** Watches the secondaries until stopped; gives how often the most restless of them moved to the standby. */
  countMoves(): { stop(): Promise<number> };
  /** Alerts about alice that the first friend's owner was sent until now. */
  alerts(): number;
}

async function openSite(
  network: Network,
  boxes: readonly Box[],
  running: AsyncDisposableStack,
): Promise<Site> {
  const [alice, bob, ...others] = boxes as [Box, Box, ...Box[]];
  const friends = [bob, ...others];
  const [home, standby] = [network.host('alice'), network.host(bob.name)];
  for (const box of [alice, bob]) running.use(webServer(network.namespace(box.name), box.host));
  const told = watchAlerts(bob);
  await bob.well(['reload']);
  const [ns1, ns2] = [network.host(bob.name), network.host((others[0] ?? bob).name)];
  const zone = alice.write('a.zone', zoneText({ serial: 1, ns1, ns2, www: home }));
  await alice.well(['zone', 'add', origin, '--file', zone]);
  await alice.well(
    `service add web --record ${www} --check http://${www}/ --standby ${bob.name}=${standby} --hold 60s`.split(
      ' ',
    ),
  );
  const namespace = network.namespace('client');
  const answeredBy = async (box: Box): Promise<string | undefined> => {
    const { answers } = await dig({ host: network.host(box.name), port: 53 }, www, 'A', { namespace });
    return answers[0]?.split(' ').at(-1);
  };
  const answersHome = async (): Promise<boolean> =>
    (await Promise.all(friends.map(answeredBy))).every((address) => address === home);
  await eventually('every friend answers the zone', answersHome, 60_000);
  // The site is found well by everybody before anything happens to it.
  await eventually(
    'the site is up',
    async () =>
      (await bob.status()).services.some(({ service, state }) => service === 'web' && state === 'up'),
    180_000,
  );
  const answeredAfter = async (address: string, withinMs: number): Promise<number[]> => {
    const startMs = performance.now();
    const oneAfter = async (box: Box): Promise<number> => {
      while (performance.now() - startMs < withinMs) {
        if ((await answeredBy(box)) === address) return performance.now() - startMs;
        await pause(lookEveryMs);
      }
      return withinMs;
    };
    return await Promise.all(friends.map(oneAfter));
  };
  const countMoves = (): { stop(): Promise<number> } => {
    let isOver = false;
    const counting = friends.map(async (box): Promise<number> => {
      let moves = 0;
      let last: string | undefined = home;
      while (!isOver) {
        const address = await answeredBy(box);
        if (address === standby && last !== standby) moves += 1;
        last = address ?? last;
        await pause(lookEveryMs);
      }
      return moves;
    });
    return {
      stop: async () => {
        isOver = true;
        return Math.max(...(await Promise.all(counting)));
      },
    };
  };
  return { home, standby, answeredAfter, countMoves, alerts: told };
}

/** Has a friend's agent write every alert that it would send into a file; gives how many there are about alice. */
function watchAlerts(box: Box): () => number {
  const file = joinPath(box.home, 'alerts.txt');
  const hook = box.write('alert-hook', `#!/bin/sh\ncat >> ${file}\necho >> ${file}\n`);
  chmodSync(hook, 0o700);
  box.write('peer.toml', `${box.read('peer.toml')}\n[[alert]]\nto = "exec:${hook}"\n`);
  return () => {
    if (!existsSync(file)) return 0;
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.filter((line) => line.includes('"kind":"alert"') && line.includes('alice')).length;
  };
}

function webServer(namespace: string, host: string): AsyncDisposable {
  const script = `require('node:http').createServer((_, answer) => answer.end('hello')).listen(80, '${host}')`;
  const [program, args] = within(namespace, [process.execPath, '-e', script]);
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore' });
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await new Promise((resolve) =>
        child.exitCode === null ? child.once('exit', resolve) : resolve(undefined),
      );
    },
  };
}
