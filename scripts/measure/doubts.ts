import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { Box } from '../../test/e2e/lib/box.ts';
import { doubts } from '../../test/e2e/lib/doubts.ts';
import { type Network, startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { within } from '../../test/e2e/lib/run.ts';
import type { Figures } from './figures.ts';
import { startNamespacedCircle } from './namespaced-circle.ts';

/** What fills the line of the first box: TCP flows, or datagrams faster than it takes them. */
const loads = [
  { name: 'one TCP flow', tcp: 1, udp: 0 },
  { name: 'four TCP flows', tcp: 4, udp: 0 },
  { name: 'a flood of datagrams', tcp: 0, udp: 1 },
];
const saturatedMs = 120_000;
const lossPercent = 5;
const restMs = 15_000;

/**
 * False alarms: how often anybody in a circle of four doubts anybody while one uplink of 128 kbit/s with a queue of 2 s is
 * full (two minutes of each load), and while one packet in twenty is lost (`lossSeconds`). Every word counts, also of one who
 * is overruled; 0 is what is wanted.
 */
export async function measureDoubts(
  { record }: Figures,
  options: { lossSeconds: number; progress: (text: string) => void },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'tc', 'nft', 'bash'], root: true }, 'false alarms');
  if (lacking !== undefined) throw new Error(lacking);
  await using running = new AsyncDisposableStack();
  const names = ['alice', 'bob', 'carol', 'dave'];
  const network = running.use(await startNetwork(names));
  const boxes = await startNamespacedCircle(network, names, running);
  await pause(restMs);
  const count = async (work: () => Promise<void>): Promise<number> => {
    const since = new Date().toISOString();
    await work();
    const found = await doubts(boxes, since);
    for (const text of found) options.progress(text);
    return found.length;
  };

  await network.narrow('alice', '128kbit', '2s');
  for (const { name, tcp, udp } of loads) {
    options.progress(`alice's line is full of ${name} (2 minutes)`);
    const found = await count(async () => {
      await using filling = new AsyncDisposableStack();
      for (let flow = 0; flow < tcp; flow++) filling.use(network.flood('alice', 'bob'));
      for (let flow = 0; flow < udp; flow++) filling.use(datagrams(network, boxes[0] as Box, 'bob'));
      await pause(saturatedMs);
    });
    record(`128 kbit/s full of ${name}, 120 s: doubts`, '', [found]);
    await pause(restMs);
  }
  await network.narrow('alice', '100mbit', '100ms');
  options.progress(`${lossPercent} % of alice's packets are lost (${options.lossSeconds} s)`);
  const lost = await count(async () => {
    await network.lose('alice', lossPercent);
    await pause(1000 * options.lossSeconds);
    await network.lose('alice', 0);
  });
  record(`${lossPercent} % loss, ${options.lossSeconds} s: doubts`, '', [lost]);
}

/** 1 Mbit/s of datagrams, eight times what the line takes, until disposed. */
function datagrams(network: Network, from: Box, to: string): AsyncDisposable {
  const script = `const socket = require('node:dgram').createSocket('udp4');
setInterval(() => socket.send(Buffer.alloc(1250), 9009, '${network.host(to)}', () => {}), 10);`;
  const [program, args] = within(network.namespace(from.name), [process.execPath, '-e', script]);
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore' });
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
    },
  };
}
