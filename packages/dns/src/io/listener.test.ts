import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CommandError, type HostPort } from '@copain/core';
import { encode } from 'dns-packet';
import { expect, it } from 'vitest';
import { createAnswerer } from '../answer.ts';
import { loadZone } from '../load-zone.ts';
import { nameOf } from '../name.ts';
import { sha1 } from './hash.ts';
import { type DnsServerEvents, type DnsServerOptions, startDnsServer } from './listener.ts';
import { querySoa, querySoaOverTcp } from './query-client.ts';

const text = '$TTL 300\n@ SOA ns hostmaster 2026112201 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';
const { zone } = loadZone({ text, file: 'z', origin: nameOf('alice.example') });
const answerer = createAnswerer(zone ? [{ zone, expired: false }] : [], { sha1 });
const loopback: HostPort = { host: '127.0.0.1', port: 0 };

/** More octets than the kernel keeps for a connection, asked for in one write. */
const many = 200;
const large = new Uint8Array(60_000);

async function start(options: Partial<DnsServerOptions> = {}) {
  const server = await startDnsServer({
    listen: [loopback],
    answer: (query, asker) => answerer.answer(query, asker),
    ...options,
  });
  const [address] = server.addresses();
  if (!address) throw new Error('no address');
  return { server, address };
}

function soaQuery(id: number): Buffer {
  const packet = encode({ type: 'query', id, questions: [{ type: 'SOA', name: 'alice.example' }] });
  return Buffer.concat([Buffer.of(packet.length >> 8, packet.length & 255), packet]);
}

/** The first `count` answers on a TCP connection, as their ids. */
function readIds(socket: Socket, count: number): Promise<number[]> {
  const ids: number[] = [];
  let bytes = Buffer.alloc(0);
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        ids.push(bytes.readUInt16BE(2));
        bytes = bytes.subarray(2 + bytes.readUInt16BE(0));
      }
      if (ids.length >= count) resolve(ids);
    });
  });
}

async function connected(address: HostPort): Promise<Socket> {
  const socket = connect(address.port, address.host);
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

it('answers over UDP', async () => {
  const { server, address } = await start();
  await using _ = server;
  const answer = await querySoa({ server: address, origin: 'alice.example', timeoutMs: 5000 });
  expect(answer).toMatchObject({ kind: 'answer', rcode: 'NOERROR', authoritative: true, serial: 2026112201 });
});

it('answers a probe over TCP, which fails where nothing listens', async () => {
  const { server, address } = await start();
  const asking = { server: address, origin: 'alice.example', timeoutMs: 5000 };
  expect(await querySoaOverTcp(asking)).toMatchObject({
    kind: 'answer',
    rcode: 'NOERROR',
    authoritative: true,
    serial: 2026112201,
  });
  await server[Symbol.asyncDispose]();
  expect(await querySoaOverTcp(asking)).toMatchObject({ kind: 'failed' });
});

it('answers many queries on one TCP connection, wherever their octets are split (RFC 7766 §6.2.1.1, §8)', async () => {
  const { server, address } = await start();
  await using _ = server;
  const socket = await connected(address);
  const all = Buffer.concat([soaQuery(1), soaQuery(2), soaQuery(3)]);
  const ids = readIds(socket, 3);
  socket.setNoDelay(true);
  for (const octet of all) socket.write(Buffer.of(octet));
  expect(await ids).toEqual([1, 2, 3]);
  socket.destroy();
});

it('closes idle connections, and those whose query never becomes whole', async () => {
  const dropped: string[] = [];
  const { server, address } = await start({
    limits: { idleMs: 60, queryMs: 30 },
    events: { dropped: ({ why }) => dropped.push(why) },
  });
  await using _ = server;
  const [idle, slow] = [await connected(address), await connected(address)];
  slow.write(soaQuery(1).subarray(0, 5));
  await Promise.all([once(idle, 'close'), once(slow, 'close')]);
  expect(dropped.sort()).toEqual(['idle', 'slow']);
});

it('lets a client in although idle ones hold all connections', async () => {
  const { server, address } = await start({ limits: { connections: 20, connectionsPerSource: 1000 } });
  await using _ = server;
  const idle = await Promise.all(Array.from({ length: 60 }, () => connected(address)));
  const socket = await connected(address);
  socket.write(soaQuery(7));
  expect(await readIds(socket, 1)).toEqual([7]);
  for (const one of [...idle, socket]) one.destroy();
});

it('answers a client while 300 connections stand idle, from the same address too', async () => {
  const { server, address } = await start();
  await using _ = server;
  const idle = await Promise.all(Array.from({ length: 300 }, () => connected(address)));
  for (const localAddress of ['127.0.0.1', '127.0.0.2']) {
    const socket = connect({ port: address.port, host: address.host, localAddress });
    const ids = readIds(socket, 1);
    socket.write(soaQuery(9));
    expect(await ids).toEqual([9]);
    socket.destroy();
  }
  for (const one of idle) one.destroy();
});

it('has no more answers waiting than fit in memory, however many clients do not read', async () => {
  let answered = 0;
  const { server, address } = await start({
    answer: () => {
      answered++;
      return large;
    },
    limits: { unreadBytes: 1e9, unreadBytesAll: 1_000_000 },
  });
  await using _ = server;
  const clients = await Promise.all(Array.from({ length: 20 }, () => connected(address)));
  const asked = Buffer.concat(Array.from({ length: many }, (_one, id) => soaQuery(id)));
  for (const client of clients) {
    client.pause();
    client.write(asked);
  }
  // Whoever reads is answered meanwhile, and shows that the others' queries have been looked at.
  const reader = await connected(address);
  reader.write(soaQuery(3));
  expect(await readIds(reader, 1)).toHaveLength(1);
  expect(answered).toBeLessThan((clients.length * many) / 2);
  for (const one of [...clients, reader]) one.destroy();
});

it('takes no more than its share of connections from one source', async () => {
  const dropped: string[] = [];
  const events: DnsServerEvents = { dropped: ({ why }) => dropped.push(why) };
  const { server, address } = await start({ limits: { connectionsPerSource: 2 }, events });
  await using _ = server;
  const first = await connected(address);
  const closed = once(first, 'close');
  const others = [await connected(address), await connected(address)];
  await closed;
  expect(dropped).toEqual(['too-many']);
  for (const one of others) one.destroy();
});

it('answers no further than a client reads, and closes one that never does', async () => {
  const dropped = Promise.withResolvers<string>();
  let answered = 0;
  const { server, address } = await start({
    answer: () => {
      answered++;
      return large;
    },
    limits: { unreadBytes: 1000, queryMs: 100 },
    events: { dropped: ({ why }) => dropped.resolve(why) },
  });
  await using _ = server;
  const socket = await connected(address);
  socket.pause();
  socket.write(Buffer.concat(Array.from({ length: many }, (_one, id) => soaQuery(id))));
  expect(await dropped.promise).toBe('slow');
  expect(answered).toBeLessThan(many);
  socket.destroy();
});

it('gives a client that reads all the answers it asked for, however many at once', async () => {
  const { server, address } = await start({ answer: () => large, limits: { unreadBytes: 1000 } });
  await using _ = server;
  const socket = await connected(address);
  const ids = readIds(socket, many);
  socket.write(Buffer.concat(Array.from({ length: many }, (_one, id) => soaQuery(id))));
  expect(await ids).toHaveLength(many);
  socket.destroy();
});

it('goes on after a query that breaks the answer function', async () => {
  const failures: unknown[] = [];
  let broken = true;
  const { server, address } = await start({
    answer: (query, asker) => {
      if (broken) throw new Error('our bug');
      return answerer.answer(query, asker);
    },
    events: { failed: ({ cause }) => failures.push(cause) },
  });
  await using _ = server;
  expect(await querySoa({ server: address, origin: 'alice.example', timeoutMs: 50 })).toMatchObject({
    kind: 'failed',
  });
  broken = false;
  expect(await querySoa({ server: address, origin: 'alice.example', timeoutMs: 5000 })).toMatchObject({
    kind: 'answer',
  });
  expect(failures).toMatchObject([{ message: 'our bug' }]);
});

it('gives no answer to a response, so that no two servers answer each other', async () => {
  const dropped = Promise.withResolvers<string>();
  const { server, address } = await start({ events: { dropped: ({ why }) => dropped.resolve(why) } });
  await using _ = server;
  const socket = createSocket('udp4');
  const response = encode({ type: 'response', id: 1, questions: [{ type: 'SOA', name: 'alice.example' }] });
  socket.send(response, address.port, address.host);
  expect(await dropped.promise).toBe('no-answer');
  socket.close();
});

it('makes of a wildcard one socket for each local address', async () => {
  const { server } = await start({ listen: [{ host: '0.0.0.0', port: 0 }] });
  await using _ = server;
  const hosts = server.addresses().map(({ host }) => host);
  expect(hosts).toContain('127.0.0.1');
  expect(hosts).not.toContain('0.0.0.0');
  const address = server.addresses().find(({ host }) => host === '127.0.0.1') ?? loopback;
  expect(await querySoa({ server: address, origin: 'alice.example', timeoutMs: 5000 })).toMatchObject({
    kind: 'answer',
  });
});

it('says which address is taken and what to do, and leaves nothing open', async () => {
  const { server, address } = await start();
  await using _ = server;
  const second = startDnsServer({
    listen: [{ host: '127.0.0.1', port: 0 }, address],
    answer: () => undefined,
  });
  await expect(second).rejects.toThrow(CommandError);
  await expect(second).rejects.toMatchObject({
    message: expect.stringContaining(`127.0.0.1:${address.port}`),
    hint: expect.stringContaining('ss -lnptu'),
  });
});

it('stops at once with clients connected, and stopping twice is harmless', async () => {
  const { server, address } = await start();
  const socket = await connected(address);
  const closed = once(socket, 'close');
  await server[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await closed;
  expect(server.addresses()).toEqual([]);
  expect(await querySoa({ server: address, origin: 'alice.example', timeoutMs: 500 })).toMatchObject({
    kind: 'failed',
  });
});
