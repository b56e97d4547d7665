import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { FrameStream } from '@copain/core';
import { expect, it } from 'vitest';
import { canariesKeptMax, canaryAskForMs } from '../limits.ts';
import { Canaries } from './canaries.ts';
import { canaryArrival } from './canary-arrival.ts';
import { framePair } from './frame-pair.ts';
import { askCanary, askDoor } from './mail-questions.ts';
import { probeSmtp } from './smtp-probe.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  memoryStores,
  startFriend,
  startOwner,
  systemClock,
  temporaryFolder,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();
const ask = (probe: Parameters<typeof probeSmtp>[0]) => probeSmtp(probe, AbortSignal.timeout(20_000));
const postmaster = 'postmaster@alice.test';
const asking = { serverName: 'mx.bob.test', hostname: 'alice.test', to: postmaster };

async function aliceAndBob(
  script?: (line: string) => string | undefined,
  tls?: { certFile: string; keyFile: string },
) {
  const mta = used(await startFakeMta(script === undefined ? {} : { script }));
  const bob = used(
    await startFriend({
      stores: memoryStores(),
      recipient: key.recipient,
      ...(tls ? { tls: { main: tls, names: [] } } : {}),
    }),
  );
  const stores = memoryStores();
  const alice = used(await startOwner({ stores, ...key, mta: mta.address }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  return { mta, bob, alice, stores };
}

it('a backup is asked as by a stranger: it takes mail for postmaster, and is refused by the words of the MTA', async () => {
  const { bob, mta, alice } = await aliceAndBob();
  const { outcome, tls } = await ask({ ...asking, address: bob.address });
  expect(outcome).toMatchObject({ kind: 'accepted', address: `127.0.0.1:${bob.address.port}` });
  expect([tls, mta.messages]).toEqual([undefined, []]);
  mta.script = (line) => (line.startsWith('RCPT') ? '550 5.1.1 no postmaster here' : undefined);
  const refused = await ask({ ...asking, address: bob.address });
  expect(refused.outcome).toMatchObject({ kind: 'refused', text: '550 5.1.1 no postmaster here' });
  expect(alice.mail.refusedAtMs(postmaster)).toBeGreaterThan(0);
  expect(alice.mail.refusedAtMs('anna@alice.test')).toBeUndefined();
  const foreign = await ask({ ...asking, to: 'x@other.test', address: bob.address });
  expect(foreign.outcome.text).toMatch(/^550 5\.7\.1/);
});

it('what is silent, no mail server, or hangs up is told apart', async () => {
  const gone = await startFakeMta();
  await gone[Symbol.asyncDispose]();
  expect((await ask({ ...asking, address: gone.address })).outcome.kind).toBe('silent');
  const busy = used(
    await startFakeMta({ script: (line) => (line.startsWith('EHLO') ? '421 4.3.2 bye' : undefined) }),
  );
  expect((await ask({ ...asking, address: busy.address })).outcome).toMatchObject({
    kind: 'refused',
    text: '421 4.3.2 bye',
  });
});

it('where STARTTLS is offered it is used, and the certificate is seen whoever signed it', async () => {
  const { dir } = used(await temporaryFolder());
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const named = ['-subj', '/CN=mx.bob.test', '-addext', 'subjectAltName=DNS:mx.bob.test'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', ...made, ...named, ...files], { stdio: 'ignore' });
  const { bob } = await aliceAndBob(undefined, { certFile, keyFile });
  const { outcome, tls } = await ask({ ...asking, address: bob.address });
  expect(outcome.kind).toBe('accepted');
  const spki = execFileSync('sh', [
    '-c',
    'openssl x509 -in "$0" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum',
    certFile,
  ]);
  expect(tls).toMatchObject({ spkiSha256: spki.toString().slice(0, 64), fitsName: true });
  expect(tls?.untrusted).toMatch(/SELF_SIGNED/);
  const other = await ask({ ...asking, serverName: 'mx.carol.test', address: bob.address });
  expect(other.tls?.fitsName).toBe(false);
});

it('a canary is held, handed over, noted, and reaches no mailbox, also where the box started again in between', async () => {
  const { mta, bob, alice, stores } = await aliceAndBob();
  const canary = await alice.mail.canaries.create('alice.test', 'bob-peer');
  const { outcome } = await ask({
    ...asking,
    to: canary.address,
    message: canary.message,
    address: bob.address,
  });
  expect(outcome).toMatchObject({ kind: 'accepted', text: expect.stringContaining('held for the owner') });
  await eventually(() => alice.mail.canaries.arrival(canary.token) !== undefined);
  expect(alice.mail.canaries.arrival(canary.token)?.intact).toBe(true);
  await eventually(() => bob.mail.facts().domains[0]?.messages === 0);

  const late = await alice.mail.canaries.create('alice.test', 'bob-peer');
  await alice[Symbol.asyncDispose]();
  bob.owner = undefined;
  const changed = late.message.replace('Subject: copain', 'Subject: changed');
  await ask({ ...asking, to: late.address, message: changed, address: bob.address });
  const again = used(await startOwner({ stores, ...key, mta: mta.address }));
  bob.owner = again.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(() => again.mail.canaries.arrival(late.token) !== undefined);
  expect(again.mail.canaries.arrival(late.token)?.intact).toBe(false);
  expect(again.mail.canaries.arrival(canary.token)?.intact).toBe(true);
  expect([await again.mail.list(), mta.messages]).toEqual([[], []]);
});

it('mail to an address like that of a canary, and a canary beside another recipient, is mail', async () => {
  const { mta, bob, alice } = await aliceAndBob();
  const canary = await alice.mail.canaries.create('alice.test', 'bob-peer');
  const talk = used(await talkTo(bob.address));
  const stranger = `postmaster+copain-${'0'.repeat(20)}@alice.test`;
  expect(stranger).not.toBe(canary.address);
  expect(await submit(talk, { to: [stranger], data: message('stranger') })).toMatch(/^250 /);
  bob.mail.ownerGone(aliceId);
  bob.owner = undefined;
  expect(await submit(talk, { to: [canary.address, 'a@alice.test'], data: message('both') })).toMatch(
    /^250 /,
  );
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  const got = await mta.received(2);
  const subjects = got.map(({ data }) => /Subject: (\w+)/.exec(data)?.[1]);
  expect(new Set(subjects)).toEqual(new Set(['both', 'stranger']));
  expect(alice.mail.canaries.arrival(canary.token)).toBeUndefined();
});

it('a canary to an address that is the owner’s alone is held as well while she declines, and goes to nobody but the friend', async () => {
  const mta = used(await startFakeMta());
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  const stores = memoryStores();
  const alice = used(await startOwner({ stores, ...key, mta: mta.address, client: 'proxy-v1' }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  const { address: to, message: text, token } = await alice.mail.canaries.create('alice.test', 'bob-peer');
  const send = () => ask({ ...asking, greeter: 'mx.bob.test', to, message: text, address: bob.rawAddress });
  expect((await send()).outcome).toMatchObject({
    kind: 'refused',
    text: 'not mx.bob.test answered, but 220 mta ESMTP',
  });
  const declined = alice.mail.declineRaw();
  expect((await send()).outcome).toMatchObject({ kind: 'accepted' });
  await eventually(() => alice.mail.canaries.arrival(token) !== undefined);
  expect(alice.mail.canaries.arrival(token)?.intact).toBe(true);
  for (const _ of [1, 2]) declined[Symbol.dispose]();
  expect(mta.messages).toEqual([]);
  const talk = used(await talkTo(bob.rawAddress));
  expect(await submit(talk)).toMatch(/queued as FAKE/);
});

it('a canary that comes to another box of its owner is noted by the one that sent it', async () => {
  const mta = used(await startFakeMta());
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  const first = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  let canAsk = false;
  let asked = 0;
  const askFirst = async (token: string, hash: Uint8Array): Promise<'known' | 'unknown' | 'silent'> => {
    asked += 1;
    if (!canAsk) return 'silent';
    const [here, there] = framePair();
    void first.mail.answerQuestions(there, { ownerId: aliceId, own: true });
    return (await askCanary(here, token, hash)) ? 'known' : 'unknown';
  };
  const ownBoxes = { any: () => true, askCanary: askFirst };
  const second = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address, ownBoxes }));
  bob.owner = second.mail;
  bob.mail.ownerReachable(aliceId);
  const canary = await first.mail.canaries.create('alice.test', 'bob-peer');
  const sent = await ask({ ...asking, to: canary.address, message: canary.message, address: bob.address });
  expect(sent.outcome).toMatchObject({
    kind: 'accepted',
    text: expect.stringContaining('held for the owner'),
  });
  // As long as the first cannot be asked it waits at bob, and no mailbox gets it.
  await eventually(() => asked > 0);
  expect(bob.mail.heldCount()).toBe(1);
  canAsk = true;
  await eventually(async () => {
    await bob.mail.flush();
    return bob.mail.heldCount() === 0;
  });
  expect(first.mail.canaries.arrival(canary.token)?.intact).toBe(true);
  expect([await second.mail.list(), mta.messages]).toEqual([[], []]);

  const stranger = `postmaster+copain-${'0'.repeat(20)}@alice.test`;
  const talk = used(await talkTo(bob.address));
  expect(await submit(talk, { to: [stranger], data: message('stranger') })).toMatch(/held for the owner/);
  await mta.received(1);
  expect(mta.messages.map(({ recipients }) => recipients)).toEqual([[stranger]]);
});

it('what may be a canary of a box that cannot be asked is mail after an hour, and no friend may ask at all', async () => {
  const canaries = { isCanary: () => false, arrived: async () => {} };
  const ownBoxes = { any: () => true, askCanary: async () => 'silent' as const };
  const arrival = canaryArrival({ canaries, ownBoxes, clock: { nowMs: () => canaryAskForMs + 1000 } });
  const to = `postmaster+copain-${'0'.repeat(20)}@alice.test`;
  expect(await arrival.judge(to, new Uint8Array(), 1001)).toBe('later');
  expect(await arrival.judge(to, new Uint8Array(), 1000)).toBe('mail');
  expect(await arrival.judge('anna@alice.test', new Uint8Array(), 1001)).toBe('mail');
  const { alice } = await aliceAndBob();
  const canary = await alice.mail.canaries.create('alice.test', 'bob-peer');
  const [here, there] = framePair();
  void alice.mail.answerQuestions(there, { ownerId: aliceId, own: false });
  await expect(askCanary(here, canary.token, new Uint8Array(32))).rejects.toThrow();
  expect(alice.mail.canaries.arrival(canary.token)).toBeUndefined();
});

it('a friend tells where he takes mail, and which addresses are the asker’s alone', async () => {
  const { bob } = await aliceAndBob();
  const asAsker = (ownerId: string): FrameStream => {
    const [here, there] = framePair();
    void bob.mail.answerQuestions(there, { ownerId, own: false });
    return here;
  };
  const door = { hostname: 'mx.bob.test', shared: [`127.0.0.1:${bob.address.port}`] };
  expect(await askDoor(asAsker(aliceId))).toEqual({ ...door, raw: [`127.0.0.1:${bob.rawAddress.port}`] });
  expect(await askDoor(asAsker('ee'.repeat(32)))).toEqual({ ...door, raw: [] });
});

it('the newest canaries are remembered', async () => {
  const { table } = memoryStores();
  let next = 0;
  const random = { bytes: (length: number) => new Uint8Array(length).fill(next), fraction: () => 0 };
  const canaries = await Canaries.open(table, systemClock, random);
  const made = [];
  for (; next <= canariesKeptMax; next++) made.push(await canaries.create('alice.test', 'bob'));
  const [first, second] = made;
  for (const one of [canaries, await Canaries.open(table, systemClock, random)]) {
    expect(one.isCanary(first?.address ?? '')).toBe(false);
    expect(one.isCanary(second?.address ?? '')).toBe(true);
    expect(one.isCanary(second?.address.replace('alice', 'carol') ?? '')).toBe(false);
    expect(one.lastSentAtMs('alice.test', 'bob')).toBeGreaterThan(0);
    expect(one.lastSentAtMs('alice.test', 'carol')).toBe(0);
  }
});
