import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, createBox } from '../../test/e2e/lib/box.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { startPostfix } from '../../test/e2e/lib/postfix.ts';
import type { Figures } from './figures.ts';
import { awayOwner, domain } from './mail-circle.ts';

const connections = 1000;
const perAddress = 20;
/** Beyond this a newcomer counts as not greeted, and the figure shows this value. */
const giveUpMs = 30_000;

/** How long a client from elsewhere waits for its banner beside 1,000 connections of 50 networks on which nothing is said. */
export async function measureCrowd({ record }: Figures): Promise<void> {
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const box = running.use(createBox({ name: 'bob', host: block.of(2) }));
  await awayOwner(box, block.of(1));
  const postfix = running.use(
    await startPostfix({
      name: 'backup',
      address: { host: block.of(3), port: 2527 },
      backup: { domain, primary: { host: block.of(1), port: 2526 } },
    }),
  );
  const before = await banners(box.smtp, 5, 10);
  const ours = await beside(box.smtp, 5);
  const theirs = await beside(postfix.address, 1);
  record('nobody else: banner for a newcomer', 'ms', before);
  record(`${connections} idle connections: banner for a newcomer, copain`, 'ms', ours.banners);
  record(`${connections} idle connections: of them kept by copain`, '', [ours.open]);
  record(`${connections} idle connections: banner, Postfix (${giveUpMs} ms: none)`, 'ms', theirs.banners);
}

/** Opens the crowd, measures some newcomers, and closes it. */
async function beside(to: Address, newcomers: number): Promise<{ banners: number[]; open: number }> {
  const crowd: Socket[] = [];
  try {
    for (let index = 0; index < connections; index++) {
      const localAddress = `127.201.${Math.floor(index / perAddress)}.1`;
      const socket = connect({ ...to, localAddress });
      // Whoever is sent away is only counted.
      socket.on('error', () => {});
      socket.resume();
      crowd.push(socket);
      if (index % 50 === 49) await pause(50);
    }
    await pause(2000);
    const greeted = await banners(to, newcomers, 100);
    return {
      banners: greeted,
      open: crowd.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length,
    };
  } finally {
    for (const socket of crowd) socket.destroy();
  }
}

/** Each newcomer comes from an address, in a network, that was never seen before. */
async function banners(to: Address, newcomers: number, network: number): Promise<number[]> {
  const took: number[] = [];
  for (let index = 0; index < newcomers; index++) {
    const sinceMs = performance.now();
    const socket = connect({ ...to, localAddress: `127.202.${network + index}.1` });
    socket.on('error', () => {});
    const greeted = once(socket, 'data').then(([text]) => String(text).startsWith('220'));
    const inTime = await Promise.race([greeted, pause(giveUpMs, false)]);
    took.push(inTime ? performance.now() - sinceMs : giveUpMs);
    socket.destroy();
  }
  return took;
}
