import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import type { MessageSource } from '../transfer-stream.ts';
import { type DnsServerOptions, startDnsServer } from './listener.ts';

/** Messages of 16 KiB, numbered, from whoever asks with an id below 100; other queries get themselves back. */
function numbered(count: number) {
  const told: { pulled: number; closed: string[] } = { pulled: 0, closed: [] };
  const source = (): MessageSource => ({
    next: () => {
      if (told.pulled === count) return undefined;
      const message = new Uint8Array(16_384);
      new DataView(message.buffer).setUint16(0, told.pulled++);
      return message;
    },
    close: (outcome) => void told.closed.push(outcome),
  });
  const answer = (query: Uint8Array): Uint8Array | MessageSource =>
    query[0] === 0 && (query[1] ?? 0) < 100 ? source() : query;
  return { told, answer };
}

async function start(options: Omit<DnsServerOptions, 'listen'>) {
  const server = await startDnsServer({ listen: [{ host: '127.0.0.1', port: 0 }], ...options });
  const [address] = server.addresses();
  if (!address) throw new Error('no address');
  const client = async (): Promise<Socket> => {
    const socket = connect(address.port, address.host);
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { server, client };
}

const query = (id: number) => Buffer.of(0, 12, id >> 8, id & 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** The ids of the first messages. */
async function readIds(socket: Socket, count: number): Promise<number[]> {
  const ids: number[] = [];
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 4 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      ids.push(bytes.readUInt16BE(2));
      bytes = bytes.subarray(2 + bytes.readUInt16BE(0));
    }
    if (ids.length >= count) break;
  }
  return ids;
}

it('sends one message after the other, and then answers what was asked behind them', async () => {
  const { told, answer } = numbered(20);
  const { server, client } = await start({ answer });
  await using _ = server;
  const socket = await client();
  socket.write(Buffer.concat([query(1), query(500)]));
  expect(await readIds(socket, 21)).toEqual([...Array.from({ length: 20 }, (_, i) => i), 500]);
  expect(told.closed).toEqual(['done']);
});

it('a client that does not read makes no more messages than fit, and gets the rest when it reads', async () => {
  const { told, answer } = numbered(4000);
  const { server, client } = await start({ answer });
  await using _ = server;
  const socket = await client();
  socket.write(Buffer.concat([query(1), query(500)]));
  // Others are answered meanwhile; by the last of their answers the first client's socket is full.
  const other = await client();
  let before = -1;
  while (before !== told.pulled || told.pulled === 0) {
    before = told.pulled;
    for (let i = 0; i < 50; i++) {
      const answered = once(other, 'data');
      other.write(query(600));
      await answered;
    }
  }
  other.destroy();
  expect(told.pulled).toBeLessThan(4000);
  expect(await readIds(socket, 4001)).toHaveLength(4001);
  expect(told.closed).toEqual(['done']);
});

it('a transfer whose client is gone, or takes too long, or that cannot go on, is broken off', async () => {
  const { told, answer } = numbered(Number.POSITIVE_INFINITY);
  const failures: unknown[] = [];
  const { server, client } = await start({
    answer: (asked) => (asked[1] === 7 ? failing : answer(asked)),
    limits: { transferMs: 100, queryMs: 60 },
    events: { failed: ({ cause }) => failures.push(cause) },
  });
  const broken: string[] = [];
  const failing: MessageSource = {
    next: () => {
      throw new RangeError('a record is too long for any message');
    },
    close: (outcome) => broken.push(outcome),
  };
  await using _ = server;
  const gone = await client();
  gone.write(query(1));
  await once(gone, 'data');
  gone.resetAndDestroy();

  const endless = await client();
  endless.write(query(1));
  endless.resume();
  await once(endless, 'close');

  const odd = await client();
  odd.write(query(7));
  await once(odd, 'close');
  expect(failures).toHaveLength(1);
  expect(broken).toEqual(['broken']);
  expect(told.closed).toEqual(['broken', 'broken']);
});
