import { setTimeout as pause } from 'node:timers/promises';
import { type Network, startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { runWell } from '../../test/e2e/lib/run.ts';
import type { Figures } from './figures.ts';
import { startNamespacedCircle } from './namespaced-circle.ts';
import { rssMiB } from './process-use.ts';
import { startSerf } from './serf.ts';

/**
 * Until what joining set in motion has ended, and a digest exchange that brings nothing would show itself. serf pushes and
 * pulls its whole state after joining; its own notes call it quiet a minute later.
 */
const settleMs = { agents: 45_000, serf: 60_000 };

/** Long enough for the beats; a quick run has what is rarer than that in it, or not. */
const quickSettleMs = { agents: 15_000, serf: 15_000 };

type Settle = typeof settleMs;

const ethernetHeaderBytes = 14;

/**
 * Bytes a second that quiet agents send and receive, and their memory, in circles of each of `sizes` boxes over
 * `seconds`; then serf's WAN profile (its quietest) in namespaces of the same kind. Counted at each box's interface,
 * IP headers included and Ethernet's left out, IPv6 off.
 */
export async function measureIdle(
  { record }: Figures,
  options: { sizes: readonly number[]; seconds: number; quick: boolean; progress: (text: string) => void },
): Promise<void> {
  const settle = options.quick ? quickSettleMs : settleMs;
  const lacking = whyNot({ programs: ['ip', 'bridge', 'serf'], root: true }, 'the idle figures');
  if (lacking !== undefined) throw new Error(lacking);
  for (const size of options.sizes) {
    const names = Array.from({ length: size }, (_, i) => `b${i}`);
    const told = (text: string): void => options.progress(`N=${size}: ${text}`);
    const agents = async (): Promise<Quiet> => await quietAgents(names, options.seconds, settle, told);
    const serfs = async (): Promise<Quiet> => await quietSerf(names, options.seconds, settle, told);
    // Each circle has a network of its own, so that neither is in the other's figures.
    const [ours, peer] = options.quick
      ? await Promise.all([agents(), serfs()])
      : [await agents(), await serfs()];
    for (const direction of ['sent', 'received'] as const) {
      const mine = record(`idle, N=${size}: ${direction} by one agent`, 'B/s', ours[direction]);
      record(`idle, N=${size}: ${direction} for each friend`, 'B/s', perFriend(ours[direction], size));
      const serf = record(`idle, N=${size}: ${direction} by one serf (WAN)`, 'B/s', peer[direction]);
      record(`idle, N=${size}: ${direction}, copain to serf`, 'x', [mine / serf]);
    }
    record(`idle, N=${size}: packets sent by one agent`, '/s', ours.packets);
    record(`idle, N=${size}: resident memory of one agent`, 'MiB', ours.rss);
    record(`idle, N=${size}: resident memory of one serf`, 'MiB', peer.rss);
  }
}

interface Quiet {
  sent: number[];
  received: number[];
  packets: number[];
  rss: number[];
}

const perFriend = (values: readonly number[], size: number): number[] =>
  values.map((value) => value / (size - 1));

async function quietAgents(
  names: readonly string[],
  seconds: number,
  settle: Settle,
  told: (text: string) => void,
): Promise<Quiet> {
  told('starting agents');
  await using running = new AsyncDisposableStack();
  const network = running.use(await quietNetwork(names));
  const boxes = await startNamespacedCircle(network, names, running);
  told(`agents are together; measured for ${seconds} s, in ${settle.agents / 1000} s`);
  await pause(settle.agents);
  return await watched(
    network,
    names,
    seconds,
    boxes.map((box) => box.pid() ?? 0),
  );
}

async function quietSerf(
  names: readonly string[],
  seconds: number,
  settle: Settle,
  told: (text: string) => void,
): Promise<Quiet> {
  told('starting serf');
  await using running = new AsyncDisposableStack();
  const network = running.use(await quietNetwork(names));
  const agents = await startSerf(network, names, (agent) => running.use(agent));
  told(`serf sees everybody; measured for ${seconds} s, in ${settle.serf / 1000} s`);
  await pause(settle.serf);
  return await watched(
    network,
    names,
    seconds,
    agents.map((agent) => agent.pid),
  );
}

async function quietNetwork(names: readonly string[]): Promise<Network> {
  const network = await startNetwork(names);
  await network.withoutIpv6();
  return network;
}

async function watched(
  network: Network,
  names: readonly string[],
  seconds: number,
  pids: readonly number[],
): Promise<Quiet> {
  const read = async (): Promise<number[][]> =>
    await Promise.all(names.map((name) => counters(network.namespace(name))));
  const startMs = performance.now();
  const before = await read();
  await pause(seconds * 1000);
  const after = await read();
  const tookSeconds = (performance.now() - startMs) / 1000;
  const rates = after.map((values, box) =>
    values.map((value, counter) => (value - (before[box]?.[counter] ?? 0)) / tookSeconds),
  );
  const ipBytes = (bytes = 0, packets = 0): number => bytes - ethernetHeaderBytes * packets;
  return {
    sent: rates.map(([txBytes, txPackets]) => ipBytes(txBytes, txPackets)),
    received: rates.map(([, , rxBytes, rxPackets]) => ipBytes(rxBytes, rxPackets)),
    packets: rates.map(([, txPackets = 0]) => txPackets),
    rss: pids.map(rssMiB),
  };
}

/** Of eth0 in this namespace: bytes and packets sent, bytes and packets received. */
async function counters(namespace: string): Promise<number[]> {
  const files = ['tx_bytes', 'tx_packets', 'rx_bytes', 'rx_packets'];
  const paths = files.map((file) => `/sys/class/net/eth0/statistics/${file}`);
  return (await runWell(['cat', ...paths], { namespace })).trim().split('\n').map(Number);
}
