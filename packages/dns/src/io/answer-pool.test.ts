import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type HostPort, toHex } from '@copain/core';
import { expect, it } from 'vitest';
import { loadZone } from '../load-zone.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { nameOf } from '../name.ts';
import { RecordType } from '../record-types.ts';
import type { ServedZone } from '../resolve.ts';
import { type AnswerPool, startAnswerPool } from './answer-pool.ts';
import { type DnsServer, startDnsServer } from './listener.ts';

const origin = nameOf('alice.example');

function zoneOf(serial: number): ServedZone {
  const text = `$TTL 300\n@ SOA ns hostmaster ${serial} 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n`;
  const { zone } = loadZone({ text, file: 'z', origin });
  if (!zone) throw new Error('no zone');
  return { zone, expired: false };
}

interface Running extends AsyncDisposable {
  pool: AnswerPool;
  server: DnsServer;
  address: HostPort;
  failures: unknown[];
  /** By the main thread. */
  answeredHere: { count: number };
}

async function start(threads: number, answersPerSecond = 0): Promise<Running> {
  await using starting = new AsyncDisposableStack();
  const failures: unknown[] = [];
  const answeredHere = { count: 0 };
  const pool = starting.use(
    startAnswerPool({
      threads,
      identity: {},
      cookieSecret: new Uint8Array(16),
      answersPerSecond,
      failed: ({ cause }) => failures.push(cause),
    }),
  );
  void pool.serve([zoneOf(1)], new Set());
  const server = starting.use(
    await startDnsServer({
      listen: [{ host: '127.0.0.1', port: 0 }],
      answer: (query, asker) => {
        answeredHere.count++;
        return pool.answer(query, asker);
      },
      threads: pool.threads,
    }),
  );
  const [address] = server.addresses();
  if (!address) throw new Error('no address');
  const parts = starting.move();
  return { pool, server, address, failures, answeredHere, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

function query(change: { opcode?: number; option?: number[] } = {}): Uint8Array {
  const question = { name: origin, type: RecordType.SOA, class: 1 };
  const rdata = Uint8Array.from(change.option ?? []);
  const opt = { owner: nameOf('.'), type: RecordType.OPT, class: 1232, ttl: 0, rdata };
  const message = {
    id: 5,
    flags: (change.opcode ?? 0) << 11,
    questions: [question],
    answers: [],
    authority: [],
    additional: [opt],
  };
  return encodeMessage(message) ?? new Uint8Array();
}

/** Clients with ports of their own: the kernel spreads them over the threads. */
async function clients(count: number): Promise<{ sockets: Socket[] } & Disposable> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'));
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  return {
    sockets,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

async function ask(socket: Socket, address: HostPort, bytes: Uint8Array) {
  const answered = once(socket, 'message') as Promise<[Buffer]>;
  socket.send(bytes, address.port, address.host);
  const [answer] = await answered;
  const message = decodeMessage(answer);
  const serial = message?.answers[0]?.rdata;
  return {
    rcode: (message?.flags ?? 15) & 15,
    serial: serial && new DataView(serial.buffer, serial.byteOffset + serial.length - 20).getUint32(0),
    option: toHex(message?.additional[0]?.rdata ?? new Uint8Array()),
  };
}

const many = 64;

it('answers from several threads, all of them from the same zones, and counts for all', async () => {
  await using running = await start(3);
  const { pool, address } = running;
  using asking = await clients(many);
  const first = await Promise.all(asking.sockets.map((socket) => ask(socket, address, query())));
  expect(first.every(({ rcode, serial }) => rcode === 0 && serial === 1)).toBe(true);
  expect(pool.counts()).toEqual([{ rcode: 'NOERROR', transport: 'udp', count: many }]);
  expect(running.answeredHere.count).toBeGreaterThan(0);
  expect(running.answeredHere.count).toBeLessThan(many);
  expect(running.failures).toEqual([]);
});

it('all threads go over to new zones at once: none answers from the old ones afterwards', async () => {
  await using running = await start(3);
  using asking = await clients(many);
  for (let serial = 2; serial <= 20; serial++) {
    await running.pool.serve([zoneOf(serial)], new Set());
    const answers = await Promise.all(asking.sockets.map((socket) => ask(socket, running.address, query())));
    expect(new Set(answers.map((answer) => answer.serial))).toEqual(new Set([serial]));
  }
});

it('zones that come faster than the threads take them in go out together, the last ones win', async () => {
  await using running = await start(2);
  using asking = await clients(many);
  const served = Array.from({ length: 200 }, (_, i) => running.pool.serve([zoneOf(i + 2)], new Set()));
  await Promise.all(served);
  const answers = await Promise.all(asking.sockets.map((socket) => ask(socket, running.address, query())));
  expect(new Set(answers.map((answer) => answer.serial))).toEqual(new Set([201]));
});

it('takes every cookie that any of the threads made, also after the secret changed', async () => {
  await using running = await start(3);
  using asking = await clients(many);
  const option = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
  const [socket] = asking.sockets;
  if (!socket) throw new Error('no client');
  const first = await ask(socket, running.address, query({ option }));
  const cookie = [...Buffer.from(first.option, 'hex')];
  const all = async () =>
    await Promise.all(asking.sockets.map((one) => ask(one, running.address, query({ option: cookie }))));
  expect(new Set((await all()).map((answer) => answer.option))).toEqual(new Set([first.option]));
  running.pool.rotate(new Uint8Array(16).fill(9));
  // A worker hears of it before it hears of these zones.
  await running.pool.serve([zoneOf(2)], new Set());
  const renewed = new Set((await all()).map((answer) => answer.option));
  // One for each second in which they were made.
  expect(renewed.size).toBeLessThanOrEqual(2);
  expect(renewed.has(first.option)).toBe(false);
});

it('limits what all threads send to one network together', async () => {
  await using running = await start(3, 10);
  using asking = await clients(many);
  for (const socket of asking.sockets) socket.send(query(), running.address.port, running.address.host);
  const judged = (): number =>
    running.pool.limited().reduce((sum, { count }) => sum + count, 0) +
    running.pool.counts().reduce((sum, { count }) => sum + count, 0) -
    (running.pool.limited()[0]?.count ?? 0);
  await expect.poll(judged).toBe(many);
  // One question from loopback: ten times eight tokens, and an answer of this size takes two of them.
  expect(running.pool.limited().reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(10);
});

it('what is for the main thread gets its answer from there, at the address that was asked', async () => {
  await using running = await start(3);
  using asking = await clients(many);
  const answers = await Promise.all(
    asking.sockets.map((socket) => ask(socket, running.address, query({ opcode: 4 }))),
  );
  expect(answers.every(({ rcode }) => rcode === 4)).toBe(true);
  expect(running.pool.counts()).toEqual([{ rcode: 'NOTIMP', transport: 'udp', count: many }]);
});

it('stops at once, and nothing answers any more', async () => {
  const running = await start(3);
  await running[Symbol.asyncDispose]();
  using asking = await clients(1);
  const [socket] = asking.sockets;
  if (!socket) throw new Error('no client');
  const again = await startDnsServer({ listen: [running.address], answer: () => undefined });
  expect(again.addresses()).toEqual([running.address]);
  await again[Symbol.asyncDispose]();
});
