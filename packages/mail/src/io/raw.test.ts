import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { rawPerNetworkMax } from '../limits.ts';
import { framePair } from './frame-pair.ts';
import { RawDoor } from './raw-friend.ts';
import { bytesFrom, pipeRaw, sendRaw } from './raw-pipe.ts';
import {
  ageKey,
  type FriendBox,
  memoryStores,
  type OwnerBox,
  recordEvents,
  startFriend,
  startOwner,
  systemClock,
} from './testing.ts';
import { submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

/** Alice with an MTA, and bob, at whose raw address she is reached. */
async function pair(
  mta: { host: string; port: number },
  client: 'proxy-v1' | 'proxy-v2' | 'none' | 'xclient' = 'proxy-v1',
  claims?: Parameters<typeof startOwner>[0]['claims'],
  rawHost = '127.0.0.1',
): Promise<{ alice: OwnerBox; bob: FriendBox } & AsyncDisposable> {
  const { identity, recipient } = await ageKey();
  const more = claims === undefined ? {} : { claims };
  const alice = await startOwner({ stores: memoryStores(), identity, recipient, mta, client, ...more });
  const bob = await startFriend({ stores: memoryStores(), recipient, rawHost });
  bob.owner = alice.mail;
  return {
    alice,
    bob,
    [Symbol.asyncDispose]: async () => {
      await bob[Symbol.asyncDispose]();
      await alice[Symbol.asyncDispose]();
    },
  };
}

/** A server that hands out its connections as they come. */
async function rawServer(): Promise<
  { address: { host: string; port: number }; next(): Promise<Socket> } & AsyncDisposable
> {
  const sockets: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    const wake = waiting.shift();
    if (wake) wake(socket);
    else sockets.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const all: Socket[] = [];
  return {
    address: { host: '127.0.0.1', port },
    next: async () => {
      const socket = sockets.shift() ?? (await new Promise<Socket>((resolve) => waiting.push(resolve)));
      all.push(socket);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of [...all, ...sockets]) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What a socket says until it ends. */
async function untilEnd(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket.iterator({ destroyOnReturn: false })) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Reads until so many bytes are there. */
async function read(socket: Socket, bytes: number): Promise<string> {
  let got = '';
  while (got.length < bytes) {
    const piece = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
    got += piece.toString('latin1');
    if (got.length < bytes) await once(socket, 'readable');
  }
  return got;
}

it('a client at the raw address talks with the MTA itself, which is told his address in front', async () => {
  await using mta = await startFakeMta({
    script: (line) => (line.startsWith('RCPT TO:<nobody@') ? '550 5.1.1 nobody here' : undefined),
  });
  await using boxes = await pair(mta.address);
  const { bob } = boxes;
  await using talk = await talkTo(bob.rawAddress);
  expect(await submit(talk, { to: ['nobody@alice.test'] })).toBe('550 5.1.1 nobody here');
  expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
  const { localPort } = talk.socket;
  expect(mta.messages[0]?.proxy).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${bob.rawAddress.port}`);
  // Nothing of it went through the conversation here, so no trace header is in front.
  expect(mta.messages[0]?.data).toMatch(/^From: /);
  expect(await talk.say('QUIT')).toBe('221 2.0.0 Bye');
  await talk.closed();
  const ended = await bob.until('rawEnded');
  expect(ended).toMatchObject({ client: '127.0.0.1', friend: 'alice', broken: undefined });
  expect(ended.toMtaBytes).toBeGreaterThan(100);
  expect(bob.told.filter(({ kind }) => kind === 'passed' || kind === 'held')).toEqual([]);
});

it.each(['::1', '::'])('an IPv6 address of one owner leads to her MTA likewise: %s', async (host) => {
  await using mta = await startFakeMta();
  await using boxes = await pair(mta.address, 'proxy-v1', undefined, host);
  const { port } = boxes.bob.rawAddress;
  await using talk = await talkTo({ host: '::1', port });
  expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
  expect(mta.messages[0]?.proxy).toBe(`PROXY TCP6 ::1 ::1 ${talk.socket.localPort} ${port}`);
  if (host === '::1') return;
  // A socket for both families shows IPv4 in its IPv6 form; the MTA is told the plain one.
  await using four = await talkTo({ host: '127.0.0.1', port });
  expect(await submit(four)).toBe('250 2.0.0 Ok: queued as FAKE');
  expect(mta.messages[1]?.proxy).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${four.socket.localPort} ${port}`);
});

it('bytes of any kind pass unchanged in both directions, and half of a connection may end before the other', async () => {
  await using server = await rawServer();
  await using boxes = await pair(server.address, 'proxy-v1');
  const client = connect({ ...boxes.bob.rawAddress, allowHalfOpen: true });
  const mta = await server.next();
  const header = await read(mta, 1);
  expect(header).toMatch(/^PROXY TCP4 [^\r]*\r\n$/);
  const there = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
  const back = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 11) % 256));
  mta.write('220 hello\r\n');
  expect(await read(client, 11)).toBe('220 hello\r\n');
  client.end(there);
  expect((await untilEnd(mta)).equals(there)).toBe(true);
  mta.end(back);
  expect((await untilEnd(client)).equals(back)).toBe(true);
  expect(await boxes.bob.until('rawEnded')).toMatchObject({
    toMtaBytes: 300_000,
    fromMtaBytes: 200_011,
    broken: undefined,
  });
  client.destroy();
});

it('neither side is read faster than the other takes it', async () => {
  await using server = await rawServer();
  await using boxes = await pair(server.address);
  const client = connect({ ...boxes.bob.rawAddress });
  const mta = await server.next();
  await read(mta, 1);
  mta.write('220 hello\r\n');
  await read(client, 11);
  mta.pause();
  let taken = 0;
  const piece = Buffer.alloc(1024 * 1024);
  // Written until nothing is taken any more; without back-pressure there would be no end to it.
  const stuck = async (): Promise<void> => {
    for (; taken < 200; taken += 1) {
      if (client.write(piece)) continue;
      const before = client.bytesWritten;
      let quiet = 0;
      while (client.writableLength > 0 && quiet < 2000) {
        await new Promise((resolve) => setImmediate(resolve));
        quiet = client.bytesWritten === before ? quiet + 1 : 0;
        if (client.writableLength > 0 && quiet >= 2000) return;
      }
    }
  };
  await stuck();
  expect(taken).toBeLessThan(100);
  client.destroy();
});

it('while the owner cannot be reached the same address has the conversation itself, for her domains alone', async () => {
  await using mta = await startFakeMta();
  await using boxes = await pair(mta.address);
  const { bob } = boxes;
  bob.owner = undefined;
  await using talk = await talkTo(bob.rawAddress);
  expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
  expect(await submit(talk, { to: ['c@carol.test'] })).toMatch(/^550/);
  expect(await bob.until('rawDeclined')).toMatchObject({ friend: 'alice', why: 'not reachable' });
  expect(bob.mail.facts().domains.map(({ messages }) => messages)).toEqual([1, 0]);
});

it('where the owner is nobody of the circle clients are put off, and let go whatever they do', async () => {
  await using server = await rawServer();
  const { events, until } = recordEvents();
  await using door = new RawDoor({
    owner: () => undefined,
    open: () => Promise.reject(new Error('nobody')),
    clock: systemClock,
    events,
  });
  const client = connect({ ...server.address, allowHalfOpen: true });
  const socket = await server.next();
  door.enter(socket, () => client.destroy(new Error('there is nobody to talk for')));
  expect((await untilEnd(client)).toString()).toMatch(/^421 4\.3\.2 /);
  await until('rawDeclined');
  if (!socket.closed) await once(socket, 'close');
  client.destroy();
}, 10_000);

it.each([
  ['does not listen', undefined],
  ['is too busy', '421 4.3.2 too busy'],
  ['closes at once', 'drop'],
  ['is something else', 'SSH-2.0-OpenSSH'],
] as const)('mail is held while the MTA %s, though the agent is there', async (_what, greeting) => {
  const mta = await startFakeMta({ script: (line) => (line === 'connect' ? greeting : undefined) });
  if (greeting === undefined) await mta[Symbol.asyncDispose]();
  await using boxes = await pair(mta.address);
  await using talk = await talkTo(boxes.bob.rawAddress);
  expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
  if (greeting !== undefined) await mta[Symbol.asyncDispose]();
});

it('mail is held when the MTA accepts the connection and says nothing, and the MTA is let go', async () => {
  await using server = await rawServer();
  await using boxes = await pair(server.address);
  const talking = talkTo(boxes.bob.rawAddress);
  const silent = await server.next();
  const gone = once(silent, 'end');
  silent.resume();
  await using talk = await talking;
  await gone;
  // The live conversation that follows finds it silent as well.
  const submitted = submit(talk);
  (await server.next()).destroy();
  expect(await submitted).toMatch(/^250 2\.0\.0 Ok: held/);
  expect(await boxes.bob.until('rawDeclined')).toMatchObject({ why: 'the mail server does not answer' });
}, 20_000);

it('an MTA that refuses this client in its greeting has its word', async () => {
  await using mta = await startFakeMta({
    script: (line) => (line === 'connect' ? '554 5.7.1 you are on a list' : undefined),
  });
  await using boxes = await pair(mta.address);
  const client = connect({ ...boxes.bob.rawAddress });
  expect(await read(client, 10)).toBe('554 5.7.1 you are on a list\r\n');
  client.destroy();
});

it.each(['none', 'xclient'] as const)(
  'with client = "%s" the MTA could not tell the sender from the agent: mail is passed on message by message',
  async (form) => {
    await using mta = await startFakeMta();
    await using boxes = await pair(mta.address, form);
    await using talk = await talkTo(boxes.bob.rawAddress);
    expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
    expect(mta.messages[0]?.data).toMatch(/^Received: /);
    expect(await boxes.bob.until('rawDeclined')).toMatchObject({ why: expect.stringContaining(form) });
  },
);

it('a friend cannot name a client inside the owner’s network, where her MTA would relay for it', async () => {
  await using mta = await startFakeMta();
  await using boxes = await pair(mta.address, 'proxy-v1', () => ({ allowPrivate: false, own: [] }));
  await using talk = await talkTo(boxes.bob.rawAddress);
  expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
  // Passed on message by message, where the owner's agent judges every recipient.
  expect(mta.messages[0]?.data).toMatch(/^Received: /);
  expect(await boxes.bob.until('rawDeclined')).toMatchObject({ why: 'the client has a private address' });
});

it('a path that breaks in mid-session closes the connection at both ends, and nothing is held', async () => {
  await using mta = await startFakeMta();
  await using boxes = await pair(mta.address);
  const { bob, alice } = boxes;
  await using talk = await talkTo(bob.rawAddress);
  await talk.say('MAIL FROM:<a@out.test>');
  await talk.say('RCPT TO:<a@alice.test>');
  await talk.say('DATA');
  talk.send('Subject: half\r\n');
  bob.rawStreams[0]?.abort(new Error('line cut'));
  await talk.closed();
  expect(await bob.until('rawEnded')).toMatchObject({ broken: expect.any(String) });
  expect(await alice.until('rawEnded')).toMatchObject({ broken: expect.any(String) });
  expect(mta.messages).toEqual([]);
  expect(bob.mail.facts().domains[0]?.messages).toBe(0);
});

it('a client that goes in the middle of a message is gone for the MTA too', async () => {
  await using server = await rawServer();
  await using boxes = await pair(server.address);
  const client = connect({ ...boxes.bob.rawAddress });
  const mta = await server.next();
  await read(mta, 1);
  mta.write('220 hello\r\n');
  await read(client, 11);
  const gone = once(mta, 'end');
  mta.resume();
  client.resetAndDestroy();
  await gone;
  expect(await boxes.bob.until('rawEnded')).toMatchObject({ broken: expect.any(String) });
});

it('one network of clients has only some of the places; the rest of its connections are answered here', async () => {
  await using mta = await startFakeMta();
  await using boxes = await pair(mta.address);
  await using all = new AsyncDisposableStack();
  for (let count = 0; count < rawPerNetworkMax; count += 1) all.use(await talkTo(boxes.bob.rawAddress));
  await using talk = await talkTo(boxes.bob.rawAddress);
  expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
  expect(mta.messages[0]?.data).toMatch(/^Received: /);
  expect(await boxes.bob.until('rawDeclined')).toMatchObject({ why: 'too many raw connections' });
});

it('a connection on which nothing moves ends', async () => {
  await using server = await rawServer();
  const client = connect({ ...server.address, allowHalfOpen: true });
  const socket = await server.next();
  const [here, there] = framePair();
  const counts = { fromSocketBytes: 0, toSocketBytes: 0 };
  const piped = pipeRaw(socket, bytesFrom(socket), here, { counts, idleMs: 50 });
  await sendRaw(there, new Uint8Array(10));
  await expect(piped).rejects.toThrow('nothing came for too long');
  expect(counts.toSocketBytes).toBe(10);
  client.destroy();
});

it('a frame that is none of this protocol, or out of turn, breaks the connection', async () => {
  await using server = await rawServer();
  await using boxes = await pair(server.address);
  const client = connect({ ...boxes.bob.rawAddress });
  client.on('error', () => {});
  const mta = await server.next();
  await read(mta, 1);
  mta.write('220 hello\r\n');
  await read(client, 11);
  const gone = once(mta, 'end');
  mta.resume();
  await boxes.bob.rawStreams[0]?.send(Uint8Array.of(1, 2, 3));
  await gone;
  client.destroy();
});

it('a stop cuts what is passed on and does not wait for it', async () => {
  await using mta = await startFakeMta();
  const boxes = await pair(mta.address);
  await using talk = await talkTo(boxes.bob.rawAddress);
  await boxes[Symbol.asyncDispose]();
  await talk.closed();
});
