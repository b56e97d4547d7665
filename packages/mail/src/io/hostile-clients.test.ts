import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { HostPort } from '@copain/core';
import { describe, expect, it } from 'vitest';
import {
  dataGraceMs,
  dataMaxMs,
  messageMaxBytes,
  sessionProgressMs,
  sessionsMax,
  sessionsPerAddressMax,
} from '../limits.ts';
import {
  ageKey,
  disposedAfterEach,
  eventually,
  type FriendBox,
  memoryStores,
  type Stores,
  startFriend,
  temporaryFolder,
} from './testing.ts';
import { message, submit, type Talk, talkTo } from './testing-client.ts';

const { recipient } = await ageKey();
const used = disposedAfterEach();

async function friend(
  more: Partial<Parameters<typeof startFriend>[0]> = {},
): Promise<FriendBox & { stores: Stores }> {
  const stores = memoryStores();
  return Object.assign(used(await startFriend({ stores, recipient, ...more })), { stores });
}

async function records({ segments }: Stores): Promise<number> {
  let count = 0;
  for await (const _ of segments.entries()) count += 1;
  return count;
}

/** A talk that is in the middle of DATA. */
async function inData(address: HostPort, start: string): Promise<Talk> {
  const talk = used(await talkTo(address));
  for (const line of ['MAIL FROM:<s@out.test>', 'RCPT TO:<a@alice.test>']) await talk.say(line);
  expect(await talk.say('DATA')).toMatch(/^354 /);
  talk.send(start);
  return talk;
}

describe('a client that is lost', () => {
  const text = message('never finished');
  it.each([
    ['before a byte of it', ''],
    ['in a header', text.slice(0, 10)],
    ['after a whole line', text],
    ['between CRLF and dot', `${text}.`],
    ['before the last LF', `${text}.\r`],
  ])(
    'in the middle of DATA, %s, leaves nothing, and the message is taken when it comes again',
    async (_name, start) => {
      const bob = await friend();
      const talk = await inData(bob.address, start);
      if (start !== '') await new Promise((resolve) => talk.socket.write('', resolve));
      await talk[Symbol.asyncDispose]();
      const again = used(await talkTo(bob.address));
      expect(await submit(again, { data: text })).toMatch(/^250 /);
      expect(await records(bob.stores)).toBe(1);
      expect(bob.told.filter(({ kind }) => kind === 'trouble')).toEqual([]);
    },
  );
});

const openssl = spawnSync('openssl', ['version']).status === 0;
if (!openssl) console.warn('skipped: the command openssl is not installed, so there is no certificate');

it.skipIf(!openssl)(
  'what is said behind STARTTLS before the handshake is dropped, as RFC 3207 §4.2 asks',
  async () => {
    await using folder = await temporaryFolder();
    const main = { certFile: join(folder.dir, 'crt'), keyFile: join(folder.dir, 'key') };
    const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.bob.test';
    spawnSync('openssl', [...made.split(' '), '-keyout', main.keyFile, '-out', main.certFile]);
    const bob = await friend({ tls: { main, names: [] } });
    const talk = used(await talkTo(bob.address));
    await talk.say('MAIL FROM:<before@out.test>');
    await talk.say('RSET');
    talk.send(
      'STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@out.test>\r\nRCPT TO:<a@alice.test>\r\nDATA\r\nevil\r\n.\r\n',
    );
    expect(await talk.say()).toMatch(/^220 /);
    talk.socket.removeAllListeners('data');
    const tls = connectTls({ socket: talk.socket, rejectUnauthorized: false });
    await once(tls, 'secureConnect');
    tls.setEncoding('latin1');
    let said = '';
    tls.on('data', (more: string) => {
      said += more;
    });
    // Neither the greeting nor a sender counts any more; and each line has one answer, so nothing was left over.
    tls.write('RCPT TO:<a@alice.test>\r\n');
    await eventually(() => said.includes('\r\n'));
    expect(said).toMatch(/^503 [^\r]*\r\n$/);
    said = '';
    tls.write('EHLO good.test\r\n');
    await eventually(() => /^250 .*\r\n$/m.test(said));
    expect(said).not.toContain('STARTTLS');
    tls.write('MAIL FROM:<s@out.test>\r\nRCPT TO:<a@alice.test>\r\nDATA\r\n');
    await eventually(() => said.includes('354 '));
    // Its side closed at once, as Exim does it.
    tls.end(`${message('over TLS')}.\r\nQUIT\r\n`);
    await eventually(() => said.includes('held for the owner') && /^221 /m.test(said));
    expect(await records(bob.stores)).toBe(1);
    tls.destroy();
  },
);

describe('a client that sends too much', () => {
  it('of a message, whatever SIZE it said, hears 552 at its end and may go on; nothing is kept', async () => {
    const bob = await friend();
    const piece = `${'x'.repeat(998)}\r\n`.repeat(1000);
    const talk = used(await talkTo(bob.address));
    expect(await talk.say(`MAIL FROM:<s@out.test> SIZE=${messageMaxBytes + 1}`)).toMatch(/^552 5\.3\.4 /);
    await talk.say('MAIL FROM:<s@out.test> SIZE=100');
    await talk.say('RCPT TO:<a@alice.test>');
    await talk.say('DATA');
    for (let sent = 0; sent <= messageMaxBytes; sent += piece.length)
      if (!talk.socket.write(piece)) await once(talk.socket, 'drain');
    expect(await talk.say('.')).toMatch(/^552 5\.3\.4 /);
    expect(await submit(talk)).toMatch(/^250 /);
    expect(await records(bob.stores)).toBe(1);
  }, 60_000);

  it('of a line, of nonsense, or of commands in one go, is hung up on or answered, and others are served', async () => {
    const bob = await friend();
    const endless = used(await talkTo(bob.address));
    for (let i = 0; i < 200 && !endless.socket.destroyed; i += 1) endless.send('x'.repeat(100_000));
    await endless.closed();
    const junk = used(await talkTo(bob.address));
    let answers = 0;
    while ((await junk.say('JUNK')) !== 'closed') answers += 1;
    expect(answers).toBeLessThanOrEqual(20);
    const piled = used(await talkTo(bob.address));
    piled.send('NOOP\r\n'.repeat(20_000));
    for (let i = 0; i < 20_000; i += 1) expect(await piled.say()).toMatch(/^250 /);
    expect(await submit(used(await talkTo(bob.address)))).toMatch(/^250 /);
  }, 30_000);

  it.each([
    ['CR in a name', 'EHLO a\rb.test'],
    ['NUL in a name', 'EHLO a\0b.test'],
    ['CR in a sender', 'MAIL FROM:<a@b.test\rRCPT TO:<x@y.test>>'],
    ['NUL in a sender', 'MAIL FROM:<a\0@b.test>'],
    ['LF through xtext', 'MAIL FROM:<a@b.test> ENVID=a+0Ab'],
    ['ESC in a recipient', 'RCPT TO:<a\x1b[2J@alice.test>'],
  ])('%s is refused, and moves nothing', async (_name, line) => {
    const bob = await friend();
    const talk = used(await talkTo(bob.address));
    if (line.startsWith('RCPT')) await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say(line)).toMatch(/^50[01] /);
    expect(await talk.say('NOOP')).toMatch(/^250 /);
  });
});

it('a client that drips, one that takes hours, and one that only says NOOP are let go; one that keeps its pace is not', async () => {
  let aheadMs = 0;
  const bob = await friend({ clock: { nowMs: () => Date.now() + aheadMs }, sweepMs: 20 });
  const drip = await inData(bob.address, 'Subject: slow\r\n\r\n');
  const idle = used(await talkTo(bob.address));
  const good = await inData(bob.address, message('fast'));
  await new Promise((resolve) => good.socket.write('x'.repeat(100_000), resolve));
  await idle.say('NOOP');
  aheadMs += dataGraceMs + 1000;
  drip.send('x');
  expect(await drip.say()).toMatch(/^421 4\.4\.2 message too slow/);
  await drip.closed();
  expect(await good.say('\r\n.')).toMatch(/^250 /);
  aheadMs += sessionProgressMs;
  await idle.say('NOOP');
  const long = await inData(bob.address, 'Subject: long\r\n\r\n');
  expect(await idle.say()).toMatch(/^421 4\.4\.2 nothing done for too long/);
  aheadMs += dataMaxMs + 1;
  expect(await long.say()).toMatch(/^421 4\.4\.2 message took too long/);
  expect(await bob.mail.list()).toHaveLength(1);
}, 40_000);

/** A connection that is opened and says nothing more. */
async function sit(address: HostPort, localAddress: string): Promise<Socket> {
  const socket = connect({ ...address, localAddress });
  socket.on('error', () => {}).resume();
  await once(socket, 'connect');
  return socket;
}

describe('with a thousand idle connections', () => {
  it.each([
    ['from one address', () => '127.7.7.7'],
    ['from a hundred addresses in a hundred networks', (i: number) => `127.7.${i % 100}.7`],
  ])('%s, a new client gets its greeting and its mail is taken', async (_name, from) => {
    const bob = await friend();
    const crowd: Socket[] = [];
    try {
      for (let at = 0; at < 1000; at += 100)
        crowd.push(
          ...(await Promise.all(Array.from({ length: 100 }, (_, i) => sit(bob.address, from(at + i))))),
        );
      const newcomer = used(await talkTo(bob.address, '127.8.8.8'));
      expect(await submit(newcomer)).toMatch(/^250 /);
      const open = crowd.filter((socket) => !socket.closed && socket.readyState === 'open').length;
      expect(open).toBeLessThanOrEqual(from(0) === from(1) ? sessionsPerAddressMax : sessionsMax);
      expect(open).toBeGreaterThan(0);
    } finally {
      for (const socket of crowd) socket.destroy();
    }
  });
});
