import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { eventually } from './eventually.ts';
import { run, runWell, within } from './run.ts';

/**
 * Boxes in network namespaces, each behind a router of its own, all routers on one core bridge:
 *
 *     box eth0 —— lan [router bridge] wan —— port [core bridge]
 *
 * A fault is made at the core or in a router, so that the box itself sees a link that is up and packets that vanish,
 * as behind a real router. A shaper in the router leaves the queue where a modem has it; in the box the kernel would
 * keep it short.
 */
export interface Network extends AsyncDisposable {
  host(box: string): string;
  namespace(box: string): string;
  /** Every packet to and from this box vanishes; its link stays up. */
  cut(box: string): Promise<void>;
  heal(box: string): Promise<void>;
  /** What comes to this port of the box over TCP vanishes, as at a provider that blocks it. */
  block(box: string, port: number): Promise<void>;
  unblock(box: string): Promise<void>;
  /** Of every hundred packets to and from this box so many vanish at random; 0 ends it. */
  lose(box: string, percent: number): Promise<void>;
  /** Gives this box another address, as a provider does overnight; from then on `host` names the new one. */
  move(box: string): Promise<void>;
  /** What the box sends passes at `rate` (`128kbit`) through a queue of `queue` (`2s`). */
  narrow(box: string, rate: string, queue: string): Promise<void>;
  /** Sends as much as TCP takes, from one box to another, until disposed. */
  flood(from: string, to: string): AsyncDisposable;
  /** Programs started in this box's namespace ask these name servers. */
  nameServers(box: string, servers: readonly string[]): void;
  reaches(from: string, to: string): Promise<boolean>;
  /** Turns IPv6 off everywhere, whose own messages would count as somebody's traffic. */
  withoutIpv6(): Promise<void>;
}

function start(inside: string, command: readonly string[]): ChildProcess {
  const [program, args] = within(inside, command);
  return spawn(program, args, { stdio: 'ignore' });
}

/**
 * Builds the network; needs root, iproute2 and bash. Namespaces are named apart from those of any other run. `prefix`
 * are the first three numbers of its addresses: boxes believe what friends see of them only where the internet routes it.
 */
export async function startNetwork(
  boxes: readonly string[],
  { prefix = '10.83.0' }: { prefix?: string } = {},
): Promise<Network> {
  const tag = randomBytes(3).toString('hex');
  const core = `cop${tag}-core`;
  const made: string[] = [];
  const resolvers: string[] = [];
  const indexOf = (box: string): number => {
    const index = boxes.indexOf(box);
    if (index < 0) throw new Error(`no box ${box} in this network`);
    return index;
  };
  const namespace = (box: string): string => `cop${tag}-${box}`;
  const router = (box: string): string => `cop${tag}-${box}-r`;
  const moves = new Map<string, number>();
  const host = (box: string): string => `${prefix}.${indexOf(box) + 1 + 20 * (moves.get(box) ?? 0)}`;
  const ip = (...line: string[]): Promise<string> => runWell(['ip', ...line]);

  async function makeNamespace(name: string): Promise<void> {
    await ip('netns', 'add', name);
    made.push(name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
  }

  async function makeBridge(name: string): Promise<void> {
    await ip('-n', name, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
    await ip('-n', name, 'link', 'set', 'br0', 'up');
  }

  async function connectBox(box: string): Promise<string> {
    const [inside, outside, port] = [namespace(box), router(box), `port${indexOf(box)}`];
    await makeNamespace(inside);
    await makeNamespace(outside);
    await makeBridge(outside);
    await ip('-n', inside, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'lan', 'netns', outside);
    await ip('-n', outside, 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', port, 'netns', core);
    for (const link of ['lan', 'wan']) await ip('-n', outside, 'link', 'set', link, 'master', 'br0', 'up');
    await ip('-n', core, 'link', 'set', port, 'master', 'br0', 'up');
    await ip('-n', inside, 'addr', 'add', `${host(box)}/24`, 'dev', 'eth0');
    await ip('-n', inside, 'link', 'set', 'eth0', 'up');
    await ip('-n', inside, 'route', 'add', 'default', 'dev', 'eth0');
    const links = JSON.parse(await ip('-j', '-n', inside, 'link', 'show', 'eth0')) as { address: string }[];
    return links[0]?.address ?? '';
  }

  async function dispose(): Promise<void> {
    for (const name of made.splice(0).toReversed()) await run(['ip', 'netns', 'del', name]);
    for (const folder of resolvers.splice(0)) rmSync(folder, { recursive: true, force: true });
  }

  const hardware = new Map<string, string>();
  /** Linux would call a silent neighbour unreachable after seconds; a box behind a real router never looks like that. */
  async function knowNeighbours(): Promise<void> {
    for (const box of boxes) {
      for (const [other, address] of hardware) {
        if (other === box) continue;
        const entry = [host(other), 'lladdr', address, 'nud', 'permanent', 'dev', 'eth0'];
        await ip('-n', namespace(box), 'neigh', 'replace', ...entry);
      }
    }
  }

  /** A refused connection is an answer too. */
  const reaches = async (from: string, to: string): Promise<boolean> => {
    const knock = ['bash', '-c', `exec 3<>/dev/tcp/${host(to)}/9`];
    const ran = await run(knock, { namespace: namespace(from), limitMs: 1000 });
    return ran.stderr.includes('refused');
  };
  const port = (box: string, state: '0' | '3'): Promise<string> =>
    runWell(['bridge', 'link', 'set', 'dev', `port${indexOf(box)}`, 'state', state], { namespace: core });

  try {
    await makeNamespace(core);
    await makeBridge(core);
    for (const box of boxes) hardware.set(box, await connectBox(box));
    await knowNeighbours();
    for (const box of boxes.slice(1)) {
      await eventually(`${boxes[0]} reaches ${box}`, () => reaches(boxes[0] ?? '', box), 20_000);
    }
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    host,
    namespace,
    reaches,
    withoutIpv6: async () => {
      const off = 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done';
      for (const name of made) await runWell(['bash', '-c', off], { namespace: name });
    },
    cut: async (box) => {
      await port(box, '0');
    },
    heal: async (box) => {
      await port(box, '3');
    },
    block: async (box, blocked) => {
      const rule = `ip daddr ${host(box)} tcp dport ${blocked} drop`;
      const table = `table bridge block { chain pass { type filter hook forward priority 0;\n${rule}\n}\n}`;
      await runWell(['nft', '-f', '-'], { namespace: router(box), stdin: `${table}\n` });
    },
    unblock: async (box) => {
      // Added first, so that it is no mistake where nothing is blocked.
      await runWell(['nft', 'add table bridge block; delete table bridge block'], { namespace: router(box) });
    },
    lose: async (box, percent) => {
      const table = 'add table bridge lose; delete table bridge lose';
      const rule = `numgen random mod 100 < ${percent} drop`;
      const lossy = `table bridge lose { chain pass { type filter hook forward priority 0;\n${rule}\n}\n}`;
      const stdin = `${table}\n${percent > 0 ? `${lossy}\n` : ''}`;
      await runWell(['nft', '-f', '-'], { namespace: router(box), stdin });
    },
    move: async (box) => {
      const before = host(box);
      moves.set(box, (moves.get(box) ?? 0) + 1);
      const inside = namespace(box);
      // The old one goes first: a second address of the same net would go with it.
      await ip('-n', inside, 'addr', 'del', `${before}/24`, 'dev', 'eth0');
      await ip('-n', inside, 'addr', 'add', `${host(box)}/24`, 'dev', 'eth0');
      await ip('-n', inside, 'route', 'replace', 'default', 'dev', 'eth0');
      await knowNeighbours();
    },
    narrow: async (box, rate, queue) => {
      const shape = ['root', 'tbf', 'rate', rate, 'burst', '2k', 'latency', queue];
      await runWell(['tc', '-n', router(box), 'qdisc', 'replace', 'dev', 'wan', ...shape]);
    },
    flood: (from, to) => {
      const sink = "require('node:net').createServer((socket) => socket.resume()).listen(9009)";
      const children = [
        start(namespace(to), ['node', '-e', sink]),
        // It knocks until the sink listens.
        start(namespace(from), ['bash', '-c', `until cat /dev/zero >/dev/tcp/${host(to)}/9009; do :; done`]),
      ];
      return {
        [Symbol.asyncDispose]: async () => {
          for (const child of children.splice(0)) child.kill('SIGKILL');
        },
      };
    },
    nameServers: (box, servers) => {
      const folder = `/etc/netns/${namespace(box)}`;
      mkdirSync(folder, { recursive: true });
      resolvers.push(folder);
      writeFileSync(`${folder}/resolv.conf`, servers.map((server) => `nameserver ${server}\n`).join(''));
    },
    [Symbol.asyncDispose]: dispose,
  };
}
