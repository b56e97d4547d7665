import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { CommandError, ExitCode, type FrameStream, type Segments } from '@copain/core';
import { frameStreamPair, manualClock, seededRandom } from '@copain/core/testing';
import type { MailDomain } from '@copain/mail';
import { type Mail, type MailEvents, startMail } from '@copain/mail/io';
import { memorySegments, memoryTable } from '@copain/store';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, expect, it } from 'vitest';
import { type MailDesk, startMailDesk } from './mail-desk.ts';

const aliceId = 'a1'.repeat(32);
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const stack: Mail[] = [];
afterEach(async () => {
  for (const mail of stack.splice(0)) await mail[Symbol.asyncDispose]();
});

const nobody = async (): Promise<FrameStream> => {
  throw new Error('nobody');
};
const silent = new Proxy({} as MailEvents, { get: () => () => {} });

/** A box with no line to any other; `segments` is what it holds. */
async function box(domains: MailDomain[], segments: Segments): Promise<Mail> {
  const mail = await startMail({
    listen: [{ host: '127.0.0.1', port: 0 }],
    tls: () => ({ main: undefined, names: [] }),
    hostname: 'mx.test',
    domains: () => domains,
    openLive: nobody,
    openDrain: nobody,
    openPolicy: nobody,
    openCopy: nobody,
    copyFriends: () => [],
    isBackup: () => false,
    backups: () => [],
    raw: { doors: [], open: nobody, claims: () => ({ allowPrivate: true, own: [] }) },
    ownBoxes: { any: () => false, askCanary: async () => 'unknown' },
    segments,
    inbox: memorySegments(),
    table: memoryTable(),
    arrivingDir: tmpdir(),
    freeBytes: async () => 1e12,
    identities: () => [],
    clock: manualClock(Date.UTC(2026, 10, 27)),
    random: seededRandom(1),
    events: silent,
  });
  stack.push(mail);
  return mail;
}

/** A friend who holds these messages for alice, in this order. */
async function friend(segments: Segments, ...bodies: string[]): Promise<Mail> {
  const domain: MailDomain = {
    domain: 'alice.test',
    ownerId: aliceId,
    ownerName: 'alice',
    role: 'backup',
    sealTo: [recipient],
    maxBytes: 1e9,
  };
  const mail = await box([domain], segments);
  for (const body of bodies) {
    const socket = connect({ port: mail.addresses[0]?.port ?? 0, host: '127.0.0.1' });
    const said = [
      'EHLO out.test',
      'MAIL FROM:<s@out.test>',
      'RCPT TO:<a@alice.test>',
      'DATA',
      `${body}\r\n.`,
    ];
    for await (const line of createInterface({ input: socket })) {
      if (line[3] === '-') continue;
      const next = said.shift();
      if (next === undefined) break;
      socket.write(`${next}\r\n`);
    }
    socket.destroy();
    if (!socket.closed) await once(socket, 'close');
  }
  return mail;
}

/** Alice's desk on a box with this key, with bob and carol to ask, bob first. */
async function desk(
  holders: Record<string, Mail>,
  key = identity,
): Promise<{ desk: MailDesk; asked: string[]; failed: string[] }> {
  const failed: string[] = [];
  const asked: string[] = [];
  const made = startMailDesk({
    mail: await box([], memorySegments()),
    identities: () => [key],
    ownName: () => 'alice',
    nameOfOwner: (ownerId) => ownerId,
    holders: () => Object.keys(holders),
    silent: () => [],
    nameOf: (peer) => peer,
    open: async (peer) => {
      asked.push(peer);
      const [here, there] = frameStreamPair();
      void holders[peer]?.answerQuestions(there, { ownerId: aliceId, own: false });
      return here;
    },
    failed: (peer) => failed.push(peer),
  });
  return { desk: made, asked, failed };
}

const text = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString();

it('where one friend’s copy is damaged, or is another message, the next one’s is read', async () => {
  const rotten = memorySegments();
  const readPart = rotten.readPart.bind(rotten);
  const bob = await friend(rotten, 'Subject: one', 'Subject: two');
  const carol = await friend(memorySegments(), 'Subject: one', 'Subject: two');
  const { desk: alice, failed } = await desk({ bob, carol });
  const { messages } = await alice.list(false);
  expect(messages).toMatchObject([{ heldBy: ['bob', 'carol'] }, { heldBy: ['bob', 'carol'] }]);
  const ids: string[] = [];
  for await (const { id } of rotten.entries()) ids.push(id);
  const reads: Segments['readPart'][] = [
    async (id, offset, lengthBytes) => {
      const part = await readPart(id, offset, lengthBytes);
      // The list needs the beginning only; what is fetched is damaged in its last byte.
      if (part && lengthBytes > 4096) part[part.length - 1] = (part.at(-1) ?? 0) ^ 1;
      return part;
    },
    async (id, offset, lengthBytes) =>
      await readPart(
        lengthBytes > 4096 ? (ids.find((other) => other !== id) ?? id) : id,
        offset,
        lengthBytes,
      ),
  ];
  for (const lie of reads) {
    rotten.readPart = lie;
    failed.length = 0;
    const found = await Promise.all(messages.map(({ id }) => alice.fetch(id, false)));
    expect(found.map(text).sort()).toEqual(['Subject: one\r\n', 'Subject: two\r\n']);
    expect(failed).toEqual(['bob', 'bob']);
  }
});

it('where no copy opens, it says why', async () => {
  const holders = { bob: await friend(memorySegments(), 'x'), carol: await friend(memorySegments(), 'x') };
  const { desk: alice } = await desk(holders, await generateX25519Identity());
  const [message] = (await alice.list(false)).messages;
  const refused: unknown = await alice.fetch(message?.id ?? '', false).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CommandError);
  expect(refused).toMatchObject({
    exit: ExitCode.badInput,
    message: expect.stringContaining('no key of this box opens it'),
  });
});

it('friends list their mail once for all that is then fetched, and again for what has moved meanwhile', async () => {
  const moved = memorySegments();
  const bob = await friend(moved, 'Subject: one', 'Subject: two');
  const carol = await friend(memorySegments());
  const { desk: alice, asked } = await desk({ bob, carol });
  const { messages } = await alice.list(false);
  for (const { id } of messages) await alice.fetch(id, false);
  expect(asked).toEqual(['bob', 'carol', 'bob', 'bob']);
  for await (const { id } of moved.entries()) await moved.remove(id);
  const refused: unknown = await alice.fetch(messages[0]?.id ?? '', false).catch((error: unknown) => error);
  expect(refused).toMatchObject({ exit: ExitCode.badInput });
  expect(asked).toEqual(['bob', 'carol', 'bob', 'bob', 'bob', 'bob', 'carol']);
});
