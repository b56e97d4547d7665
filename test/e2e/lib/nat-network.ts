import { randomBytes } from 'node:crypto';
import { eventually } from './eventually.ts';
import { run, runWell } from './run.ts';

/**
 * Homes as they are: a box in a LAN behind a router that masquerades (nftables), and boxes with an address of their own,
 * all on one core bridge that stands for the internet:
 *
 *     box eth0 —— lan [router: masquerade] wan —— port [core bridge] port —— eth0 box
 *     192.168.1.2   192.168.1.1    198.18.1.2                      203.0.113.1
 *
 * All homes use the same LAN addresses, as homes do. The routers answer nothing from outside and forward nothing but
 * answers, unless a port is forwarded. The outside addresses are such as no private network uses.
 */
export interface NatNetwork extends AsyncDisposable {
  namespace(box: string): string;
  /** The address of the box itself: private behind NAT. */
  host(box: string): string;
  /** Where the internet sees it. */
  outside(box: string): string;
  cut(box: string): Promise<void>;
  heal(box: string): Promise<void>;
  /** The router passes this TCP port on to the box, as an owner would set it up. */
  forward(box: string, port: number): Promise<void>;
  /** The namespace of a box's router. */
  router(box: string): string;
  /** The provider gives the router another address; what was open is lost. */
  renumber(box: string, outside: string): Promise<void>;
}

export interface Place {
  box: string;
  /** The address on the internet: of the box, or of its router where it is behind NAT. */
  outside: string;
  nat: boolean;
}

const [lanRouter, lanBox] = ['192.168.1.1', '192.168.1.2'];

/** Needs root, iproute2, bash and nftables. Namespaces are named apart from those of any other run. */
export async function startNatNetwork(places: readonly Place[]): Promise<NatNetwork> {
  const tag = randomBytes(3).toString('hex');
  const core = `nat${tag}-core`;
  const made: string[] = [];
  const outsides = new Map(places.map((place) => [place.box, place.outside]));
  const placeOf = (box: string): Place => {
    const place = places.find((one) => one.box === box);
    if (place === undefined) throw new Error(`no box ${box} in this network`);
    return place;
  };
  const outside = (box: string): string => outsides.get(box) ?? '';
  const namespace = (box: string): string => `nat${tag}-${box}`;
  const router = (box: string): string => `nat${tag}-${box}-r`;
  const host = (box: string): string => (placeOf(box).nat ? lanBox : outside(box));
  const port = (box: string): string => `port${places.indexOf(placeOf(box))}`;
  const ip = (...line: string[]): Promise<string> => runWell(['ip', ...line]);
  const inside = (where: string, ...line: string[]): Promise<string> => ip('-n', where, ...line);

  async function makeNamespace(name: string): Promise<void> {
    await ip('netns', 'add', name);
    made.push(name);
    await inside(name, 'link', 'set', 'lo', 'up');
  }

  /** A cable from the core to this namespace; the whole internet is on its far side. */
  async function connectToCore(box: string, where: string, link: string): Promise<void> {
    await inside(where, 'link', 'add', link, 'type', 'veth', 'peer', 'name', port(box), 'netns', core);
    await inside(core, 'link', 'set', port(box), 'master', 'br0', 'up');
    await inside(where, 'addr', 'add', `${outside(box)}/32`, 'dev', link);
    await inside(where, 'link', 'set', link, 'up');
    await inside(where, 'route', 'add', 'default', 'dev', link);
  }

  const rules = (forwarded: string): string => `
    flush ruleset
    table ip home {
      chain prerouting { type nat hook prerouting priority dstnat; ${forwarded} }
      chain postrouting { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
      chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept; iifname { "lan", "lo" } accept;
      }
      chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept; iifname "lan" accept; ct status dnat accept;
      }
    }`;
  const setRules = (box: string, forwarded = ''): Promise<string> =>
    runWell(['nft', '-f', '-'], { namespace: router(box), stdin: rules(forwarded) });

  async function connectHome(box: string): Promise<void> {
    const [home, gate] = [namespace(box), router(box)];
    await makeNamespace(home);
    await makeNamespace(gate);
    await connectToCore(box, gate, 'wan');
    await inside(home, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'lan', 'netns', gate);
    await inside(gate, 'addr', 'add', `${lanRouter}/24`, 'dev', 'lan');
    await inside(gate, 'link', 'set', 'lan', 'up');
    await inside(home, 'addr', 'add', `${lanBox}/24`, 'dev', 'eth0');
    await inside(home, 'link', 'set', 'eth0', 'up');
    await inside(home, 'route', 'add', 'default', 'via', lanRouter);
    await runWell(['sysctl', '-qw', 'net.ipv4.ip_forward=1'], { namespace: gate });
    await setRules(box);
  }

  async function connectPublic(box: string): Promise<void> {
    await makeNamespace(namespace(box));
    await connectToCore(box, namespace(box), 'eth0');
  }

  async function dispose(): Promise<void> {
    for (const name of made.splice(0).toReversed()) await run(['ip', 'netns', 'del', name]);
  }

  /** A refused connection is an answer too. */
  const reaches = async (from: string, address: string): Promise<boolean> => {
    const knock = ['bash', '-c', `exec 3<>/dev/tcp/${address}/9`];
    const ran = await run(knock, { namespace: namespace(from), limitMs: 1000 });
    return ran.stderr.includes('refused');
  };
  const bridgePort = (box: string, state: '0' | '3'): Promise<string> =>
    runWell(['bridge', 'link', 'set', 'dev', port(box), 'state', state], { namespace: core });

  try {
    await makeNamespace(core);
    await inside(core, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
    await inside(core, 'link', 'set', 'br0', 'up');
    for (const { box, nat } of places) await (nat ? connectHome(box) : connectPublic(box));
    const open = places.filter((place) => !place.nat);
    for (const { box } of places) {
      for (const target of open) {
        if (target.box === box) continue;
        await eventually(`${box} reaches ${target.box}`, () => reaches(box, target.outside), 20_000);
      }
    }
    for (const { box, outside: address } of places.filter((place) => place.nat)) {
      const [from] = open;
      if (from !== undefined && (await reaches(from.box, address)))
        throw new Error(`the router of ${box} answers from outside: this is no NAT`);
    }
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    namespace,
    host,
    outside,
    cut: async (box) => {
      await bridgePort(box, '0');
    },
    heal: async (box) => {
      await bridgePort(box, '3');
    },
    forward: async (box, tcpPort) => {
      await setRules(box, `iifname "wan" tcp dport ${tcpPort} dnat to ${lanBox}:${tcpPort};`);
    },
    router,
    renumber: async (box, address) => {
      const gate = router(box);
      // Taking the address away also makes the kernel forget the connections that were masqueraded with it.
      await inside(gate, 'addr', 'del', `${outside(box)}/32`, 'dev', 'wan');
      outsides.set(box, address);
      await inside(gate, 'addr', 'add', `${address}/32`, 'dev', 'wan');
      await inside(gate, 'route', 'replace', 'default', 'dev', 'wan');
    },
    [Symbol.asyncDispose]: dispose,
  };
}
