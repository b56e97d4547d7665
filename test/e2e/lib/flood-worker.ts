/**
 * A crowd of strangers, as a process of its own: opens TCP connections to one mesh port at a steady rate for a bounded time and tells
 * on its last line what became of them. `startFlood` starts it; its one argument is a `FloodOrder` as JSON.
 */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { startTestHost } from '@copain/mesh/testing';
import type { FloodCount, FloodOrder } from './flood.ts';

const order = JSON.parse(process.argv[2] ?? '') as FloodOrder;
const count: FloodCount = { opened: 0, refused: 0, handshakes: 0, rate: 0 };
/** Open at once: bounded, whatever the other side does. */
const maxOpen = 2000;
const open = new Set<net.Socket>();

/** Source addresses in turn, each of another /24. */
let turn = 0;
const sourceOf = (): { localAddress?: string } => {
  if (order.spread === undefined) return {};
  turn = (turn + 1) % 250;
  return { localAddress: `${order.spread}.${turn}.${1 + (turn % 200)}` };
};

// Noise's own dialler takes no source address, so it is given one here.
const connect = net.connect.bind(net) as (options: net.NetConnectOpts) => net.Socket;
net.connect = ((options: net.NetConnectOpts) => {
  const socket = connect({ ...options, ...sourceOf() } as net.NetConnectOpts);
  count.opened += 1;
  open.add(socket);
  socket.once('error', () => undefined);
  socket.once('close', () => {
    open.delete(socket);
    count.refused += 1;
  });
  const [oldest] = open;
  if (open.size > maxOpen) oldest?.destroy();
  return socket;
}) as typeof net.connect;

/** With a key that no circle knows. */
const host = await startTestHost({
  listen: [],
  events: {
    // The other side has shown its key: the whole of Noise was computed at both ends.
    connected: () => {
      count.handshakes += 1;
    },
  },
});

const line = (text: string): Buffer =>
  Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`, 'latin1');
/** What a dialler says up to the first message of Noise, which is any 32 bytes: it costs the other side most. */
const halfOf = (): Buffer =>
  Buffer.concat([line('/multistream/1.0.0'), line('/noise'), Buffer.of(0, 32), randomBytes(32)]);

const actions: Record<FloodOrder['kinds'][number], () => void> = {
  full: () => {
    const signal = AbortSignal.timeout(20_000);
    host
      .dial(order.peer, [`${order.host}:${order.port}`], { signal, fresh: true })
      .then(() => {
        for (const { id } of host.connections(order.peer)) host.closeConnection(order.peer, id);
      })
      .catch(() => undefined);
  },
  half: () => {
    const socket = net.connect({ host: order.host, port: order.port });
    socket.once('connect', () => socket.write(halfOf()));
  },
  silent: () => {
    net.connect({ host: order.host, port: order.port });
  },
};

const startMs = performance.now();
const elapsedMs = (): number => performance.now() - startMs;
for (let i = 0; elapsedMs() < order.forMs; i++) {
  // Whatever this process could not do in time it leaves out: a crowd that lags does not become a burst.
  const behindMs = elapsedMs() - (i * 1000) / order.perSecond;
  if (behindMs > 1000) i += Math.floor((behindMs * order.perSecond) / 1000);
  if (behindMs < 0) await pause(-behindMs);
  actions[order.kinds[i % order.kinds.length] ?? 'silent']();
}
count.rate = count.opened / (elapsedMs() / 1000);
process.stdout.write(`${JSON.stringify(count)}\n`);
for (const socket of open) socket.destroy();
await host[Symbol.asyncDispose]();
process.exit(0);
