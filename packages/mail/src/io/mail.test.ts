import type { FrameStream } from '@copain/core';
import { memoryLog, memorySegments, memoryTable } from '@copain/store';
import { describe, expect, it } from 'vitest';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  type FriendBox,
  memoryStores,
  type OwnerBox,
  type Stores,
  startFriend,
  startOwner,
} from './testing.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { type FakeMta, startFakeMta } from './testing-mta.ts';

const key = await ageKey();

const used = disposedAfterEach();

interface Circle {
  mta: FakeMta;
  alice: OwnerBox;
  aliceStores: Stores;
  bob: FriendBox;
  bobStores: Stores;
}

/** Alice with her MTA, and bob; bob sees alice only once `bob.owner` is set. */
async function circle({ client }: { client?: 'none' | 'proxy-v1' | 'xclient' } = {}): Promise<Circle> {
  const mta = used(await startFakeMta());
  const aliceStores = memoryStores();
  const bobStores = memoryStores();
  const alice = used(await startOwner({ stores: aliceStores, ...key, mta: mta.address, client }));
  const bob = used(await startFriend({ stores: bobStores, recipient: key.recipient }));
  return { mta, alice, aliceStores, bob, bobStores };
}

/** Bob sees alice now. */
function join({ alice, bob }: Circle): void {
  bob.owner = alice.mail;
  bob.mail.ownerReachable(alice.domains[0]?.ownerId ?? '');
}

async function count(segments: Stores['segments']): Promise<number> {
  let records = 0;
  for await (const _ of segments.entries()) records += 1;
  return records;
}

describe('while the owner is away', () => {
  it('holds, and says 250 only after the record is stored', async () => {
    const slow = memorySegments();
    let release = (): void => {};
    const bob = used(
      await startFriend({
        recipient: key.recipient,
        stores: {
          ...memoryStores(),
          segments: {
            ...slow,
            append: async (record) => {
              await new Promise<void>((resolve) => {
                release = resolve;
              });
              return await slow.append(record);
            },
          },
        },
      }),
    );
    const talk = used(await talkTo(bob.address));
    await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say('RCPT TO:<a@alice.test>')).toMatch(/^250 2\.1\.5 /);
    await talk.say('DATA');
    let answered = false;
    const answer = talk.say(`${message('x')}.`).then((text) => {
      answered = true;
      return text;
    });
    while ((await count(slow)) === 0) {
      expect(answered).toBe(false);
      release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answer).toMatch(/^250 2\.0\.0 /);
    expect(bob.mail.facts().domains[0]).toMatchObject({
      domain: 'alice.test',
      state: 'holding',
      messages: 1,
    });
    expect(await bob.mail.list()).toMatchObject([
      { domain: 'alice.test', state: 'held', from: undefined, recipients: [] },
    ]);
  });

  it('answers 452 and keeps nothing when the disk refuses', async () => {
    const failing = {
      ...memorySegments(),
      append: async () => ({ kind: 'failed' as const, cause: new Error('ENOSPC') }),
    };
    const bob = used(
      await startFriend({ recipient: key.recipient, stores: { ...memoryStores(), segments: failing } }),
    );
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^452 4\.3\.1 /);
    expect(await bob.mail.list()).toEqual([]);
  });

  it('answers 452 when the quota of the domain is used up', async () => {
    const bob = used(await startFriend({ recipient: key.recipient, stores: memoryStores(), maxBytes: 3000 }));
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    expect(await submit(talk, { data: message('z'.repeat(3000)) })).toMatch(/^452 4\.2\.2 /);
    expect(await talk.say('MAIL FROM:<s@out.test> SIZE=5000')).toMatch(/^250 /);
    expect(await talk.say('RCPT TO:<a@alice.test>')).toMatch(/^452 4\.2\.2 /);
  });

  it('holds a message once when the sender that lost our 250 comes again', async () => {
    const { bob, bobStores } = await circle();
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    expect(await submit(talk)).toMatch(/^250 /);
    expect(await count(bobStores.segments)).toBe(1);
    expect(await submit(talk, { to: ['b@alice.test'] })).toMatch(/^250 /);
    expect(await count(bobStores.segments)).toBe(2);
  });

  it('keeps what it held over a restart', async () => {
    const log = memoryLog();
    const table = memoryTable();
    const open = (): Stores => ({ segments: memorySegments(log), inbox: memorySegments(), table });
    const before = await startFriend({ recipient: key.recipient, stores: open() });
    const talk = used(await talkTo(before.address));
    expect(await submit(talk)).toMatch(/^250 /);
    const listed = await before.mail.list();
    await before[Symbol.asyncDispose]();
    const after = used(await startFriend({ recipient: key.recipient, stores: open() }));
    expect(await after.mail.list()).toEqual(listed);
  });

  it('counts each message it ever took for an owner once: many at once, repeated, over a restart and a lost row', async () => {
    const log = memoryLog();
    const table = memoryTable();
    const open = (): Stores => ({ segments: memorySegments(log), inbox: memorySegments(), table });
    const before = await startFriend({ recipient: key.recipient, stores: open() });
    const bodies = Array.from({ length: 8 }, (_, i) => message(`number ${i}`));
    const talks = await Promise.all(bodies.map(async () => used(await talkTo(before.address))));
    await Promise.all(talks.map((talk, i) => submit(talk, { data: bodies[i] ?? '' })));
    const [again] = talks;
    if (again === undefined) throw new Error('a client');
    await submit(again, { data: bodies[3] ?? '' });
    const counted = before.mail.tallies().get(aliceId);
    expect(counted).toMatchObject({
      messages: bodies.length,
      bytes: bodies.reduce((sum, body) => sum + body.length, 0),
    });
    await before[Symbol.asyncDispose]();
    const after = await startFriend({ recipient: key.recipient, stores: open() });
    expect(after.mail.tallies().get(aliceId)).toEqual(counted);
    await after[Symbol.asyncDispose]();
    // What a crash between storing and counting leaves: the record is there, the row is not.
    await table.write([{ key: `tally/${aliceId}`, value: undefined }]);
    const recounted = used(await startFriend({ recipient: key.recipient, stores: open() }));
    expect(recounted.mail.tallies().get(aliceId)).toEqual(counted);
  });
});

describe('handing over', () => {
  it('brings everything to the MTA once, byte-identical but for the trace header, and empties the friend', async () => {
    const { mta, alice, bob, bobStores, ...rest } = await circle();
    const talk = used(await talkTo(bob.address));
    const bodies = [
      message('first'),
      `Subject: dots\r\n\r\n.\r\n..\r\n...three\r\n.end\r\n`,
      `X: ${'y'.repeat(100_000)}\r\n\r\nend\r\n`,
      'Subject: 8bit\r\n\r\n\xe9\xff\x00\x80\r\n',
      '',
      '\r\n',
    ];
    for (const body of bodies) {
      await talk.say('MAIL FROM:<sender@out.test>');
      await talk.say('RCPT TO:<a@alice.test>');
      await talk.say('DATA');
      talk.send(body.replaceAll(/(^|\r\n)\./g, '$1..'));
      expect(await talk.say('.')).toMatch(/^250 /);
    }
    const held = await bob.mail.list();
    expect(held).toHaveLength(bodies.length);
    join({ mta, alice, bob, bobStores, ...rest });
    const arrived = await mta.received(bodies.length);
    expect(arrived.map(({ data }) => withoutTrace(data)).sort()).toEqual([...bodies].sort());
    for (const { data, from, recipients, helo } of arrived) {
      expect(data).toMatch(
        /^Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.bob\.test \(copain\) with ESMTP\r\n\tfor <a@alice\.test>;\r\n\t\w{3}, \d/,
      );
      expect({ from, recipients, helo }).toEqual({
        from: 'sender@out.test',
        recipients: ['a@alice.test'],
        helo: 'mx.alice.test',
      });
    }
    await eventually(async () => (await bob.mail.list()).length === 0);
    expect(await count(bobStores.segments)).toBe(0);
    await eventually(async () => (await alice.mail.list()).length === 0);
    expect(await count(rest.aliceStores.inbox)).toBe(0);
    expect(mta.messages).toHaveLength(bodies.length);
    expect(bob.mail.facts().domains[0]).toMatchObject({
      state: 'live',
      messages: 0,
      deliveredTotal: bodies.length,
    });
  });

  it('starts by itself for what is held while the owner is connected but her MTA is not', async () => {
    const parts = await circle();
    const { mta, alice, bob } = parts;
    mta.script = (line) => (line === 'connect' ? 'drop' : undefined);
    join(parts);
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
    await alice.until('queued');
    await bob.until('handedOver');
    expect(await bob.mail.list()).toEqual([]);
    expect(await alice.mail.list()).toMatchObject([
      { state: 'queued', from: 'sender@out.test', recipients: ['a@alice.test'] },
    ]);
    expect(alice.mail.facts().domains[0]).toMatchObject({ messages: 1, role: 'own' });
    mta.script = () => undefined;
    await eventually(async () => (await alice.mail.flush()) === 0);
    await mta.received(1);
    expect(mta.messages).toHaveLength(1);
  });

  it('begins anew at once when a newer connection replaced the one on which it was going on', async () => {
    const { mta, alice, bob } = await circle();
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
    const older = Promise.withResolvers<FrameStream>();
    bob.owner = { ...alice.mail, handleDrain: async (stream) => older.resolve(stream) };
    bob.mail.ownerReachable(aliceId);
    const stream = await older.promise;
    bob.owner = alice.mail;
    bob.mail.ownerReachable(aliceId);
    const startMs = performance.now();
    stream.abort(new Error('replaced by a newer connection'));
    await mta.received(1);
    expect(performance.now() - startMs).toBeLessThan(2000);
  }, 10_000);

  it('delivers one copy of what two friends hold', async () => {
    const parts = await circle();
    const { mta, alice, bob } = parts;
    const carolStores = memoryStores();
    const carol = used(
      await startFriend({
        stores: carolStores,
        recipient: key.recipient,
        hostname: 'mx.carol.test',
        peer: 'carol-peer',
      }),
    );
    for (const friend of [bob, carol]) {
      const talk = used(await talkTo(friend.address));
      expect(await submit(talk)).toMatch(/^250 /);
    }
    join(parts);
    carol.owner = alice.mail;
    carol.mail.ownerReachable(alice.domains[0]?.ownerId ?? '');
    await bob.until('handedOver');
    // Whoever came second may have been told "later" while the first copy was being stored.
    await eventually(async () => {
      await carol.mail.flush();
      return (await carol.mail.list()).length === 0;
    });
    await mta.received(1);
    await eventually(async () => (await alice.mail.list()).length === 0);
    expect(mta.messages).toHaveLength(1);
  });

  it('a message that needs two recipients reaches each once, also when one had it already', async () => {
    const parts = await circle();
    const { mta, alice, bob } = parts;
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk, { to: ['a@alice.test'] })).toMatch(/^250 /);
    expect(await submit(talk, { to: ['a@alice.test', 'b@alice.test'] })).toMatch(/^250 /);
    join(parts);
    await mta.received(2);
    await eventually(async () => (await alice.mail.list()).length === 0);
    expect(mta.messages.flatMap(({ recipients }) => recipients).sort()).toEqual([
      'a@alice.test',
      'b@alice.test',
    ]);
  });

  it('4xx is tried again, 5xx goes to quarantine, each recipient by itself', async () => {
    const parts = await circle();
    const { mta, alice, bob } = parts;
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk, { to: ['no@alice.test', 'later@alice.test', 'yes@alice.test'] })).toMatch(
      /^250 /,
    );
    mta.script = (line) =>
      line.includes('<no@') ? '550 5.1.1 who?' : line.includes('<later@') ? '450 4.2.1 not now' : undefined;
    join(parts);
    await alice.until('deferred');
    expect(mta.messages.map(({ recipients }) => recipients)).toEqual([['yes@alice.test']]);
    expect(await alice.mail.list()).toMatchObject([
      { state: 'queued', recipients: ['no@alice.test', 'later@alice.test'] },
    ]);
    mta.script = () => undefined;
    await alice.mail.flush('alice.test');
    await mta.received(2);
    expect(mta.messages[1]?.recipients).toEqual(['later@alice.test']);
    await eventually(async () => (await alice.mail.list())[0]?.state === 'quarantined');
    expect(await alice.mail.list()).toMatchObject([{ state: 'quarantined', recipients: ['no@alice.test'] }]);
    expect(alice.mail.facts().domains[0]).toMatchObject({ messages: 0, quarantined: 1 });
  });

  it('an owner that stopped between queue and MTA goes on after the restart', async () => {
    const mta = used(await startFakeMta({ script: (line) => (line === 'connect' ? 'drop' : undefined) }));
    const inboxLog = memoryLog();
    const rows = new Map<string, Uint8Array>();
    const open = (): Stores => ({
      segments: memorySegments(),
      inbox: memorySegments(inboxLog),
      table: memoryTable(rows),
    });
    const before = await startOwner({ stores: open(), ...key, mta: mta.address });
    const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    bob.owner = before.mail;
    bob.mail.ownerReachable(before.domains[0]?.ownerId ?? '');
    await bob.until('handedOver');
    await before[Symbol.asyncDispose]();
    mta.script = () => undefined;
    const after = used(await startOwner({ stores: open(), ...key, mta: mta.address }));
    await mta.received(1);
    await eventually(async () => (await after.mail.list()).length === 0);
    expect(inboxLog.records.size).toBe(0);
  });

  it.each(['missing', 'damaged'])(
    'a queued message whose row is %s is delivered all the same',
    async (how) => {
      const mta = used(await startFakeMta({ script: (line) => (line === 'connect' ? 'drop' : undefined) }));
      const inboxLog = memoryLog();
      const rows = new Map<string, Uint8Array>();
      const open = (): Stores => ({
        segments: memorySegments(),
        inbox: memorySegments(inboxLog),
        table: memoryTable(rows),
      });
      const before = await startOwner({ stores: open(), ...key, mta: mta.address });
      const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
      const talk = used(await talkTo(bob.address));
      expect(await submit(talk)).toMatch(/^250 /);
      bob.owner = before.mail;
      bob.mail.ownerReachable(before.domains[0]?.ownerId ?? '');
      await bob.until('handedOver');
      await before[Symbol.asyncDispose]();
      const queued = [...rows.keys()].filter((one) => one.startsWith('mail/queue/'));
      expect(queued).toHaveLength(1);
      for (const one of queued)
        if (how === 'missing') rows.delete(one);
        else rows.set(one, Uint8Array.of(0xff));
      mta.script = () => undefined;
      const after = used(await startOwner({ stores: open(), ...key, mta: mta.address }));
      await mta.received(1);
      await eventually(async () => (await after.mail.list()).length === 0);
      expect(mta.messages).toHaveLength(1);
      expect(inboxLog.records.size).toBe(0);
    },
  );

  it('a record without its row (crash between the two, or a lost table) is taken in at the next start', async () => {
    const mta = used(await startFakeMta({ script: (line) => (line === 'connect' ? 'drop' : undefined) }));
    const inboxLog = memoryLog();
    const before = await startOwner({
      stores: { segments: memorySegments(), inbox: memorySegments(inboxLog), table: memoryTable() },
      ...key,
      mta: mta.address,
    });
    const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
    const talk = used(await talkTo(bob.address));
    await submit(talk);
    bob.owner = before.mail;
    bob.mail.ownerReachable(before.domains[0]?.ownerId ?? '');
    await bob.until('handedOver');
    await before[Symbol.asyncDispose]();
    mta.script = () => undefined;
    used(
      await startOwner({
        stores: { segments: memorySegments(), inbox: memorySegments(inboxLog), table: memoryTable() },
        ...key,
        mta: mta.address,
      }),
    );
    expect(withoutTrace((await mta.received(1))[0]?.data ?? '')).toBe(message('hello'));
  });

  it('the friend keeps what the owner could not store', async () => {
    const mta = used(await startFakeMta());
    const full = {
      ...memorySegments(),
      append: async () => ({ kind: 'failed' as const, cause: new Error('ENOSPC') }),
    };
    const alice = used(
      await startOwner({ stores: { ...memoryStores(), inbox: full }, ...key, mta: mta.address }),
    );
    const bobStores = memoryStores();
    const bob = used(await startFriend({ stores: bobStores, recipient: key.recipient }));
    const talk = used(await talkTo(bob.address));
    await submit(talk);
    bob.owner = alice.mail;
    bob.mail.ownerReachable(alice.domains[0]?.ownerId ?? '');
    await eventually(
      () =>
        bob.told.some(({ kind }) => kind === 'changed') && bob.mail.facts().domains[0]?.state === 'holding',
    );
    expect(await bob.mail.list()).toHaveLength(1);
    expect(await count(bobStores.segments)).toBe(1);
    expect(mta.messages).toEqual([]);
  });
});

describe('while the owner is there', () => {
  it('passes the message on at once and answers what her MTA answers; nothing is kept', async () => {
    const parts = await circle({ client: 'proxy-v1' });
    join(parts);
    const { mta, bob, bobStores } = parts;
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toBe('250 2.0.0 Ok: queued as FAKE');
    expect(mta.messages).toMatchObject([
      { from: 'sender@out.test', recipients: ['a@alice.test'], helo: 'client.test' },
    ]);
    expect(mta.messages[0]?.proxy).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+$/);
    expect(withoutTrace(mta.messages[0]?.data ?? '')).toBe(message('hello'));
    expect(await count(bobStores.segments)).toBe(0);
    expect(bob.told.filter(({ kind }) => kind === 'passed')).toMatchObject([
      { code: 250, ownerName: 'alice' },
    ]);
  });

  it('tells the MTA the true client by XCLIENT', async () => {
    const parts = await circle({ client: 'xclient' });
    join(parts);
    const lines: string[] = [];
    parts.mta.script = (line) => {
      lines.push(line);
      return undefined;
    };
    const talk = used(await talkTo(parts.bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    expect(lines.find((line) => line.startsWith('XCLIENT'))).toMatch(
      /^XCLIENT NAME=\[UNAVAILABLE\] ADDR=127\.0\.0\.1 PORT=\d+ PROTO=ESMTP HELO=client\.test$/,
    );
  });

  it('passes a refusal back with its code, its enhanced code once, and all its lines', async () => {
    const parts = await circle();
    join(parts);
    const { mta, bob } = parts;
    const talk = used(await talkTo(bob.address));
    mta.script = (line) => (line.startsWith('RCPT') ? '550-5.1.1 no such\r\n550 5.1.1 user' : undefined);
    await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say('RCPT TO:<nosuch@alice.test>')).toBe('550-5.1.1 no such\n550 5.1.1 user');
    mta.script = (line) => (line.startsWith('RCPT') ? '451 4.7.1 greylisted' : undefined);
    expect(await talk.say('RCPT TO:<a@alice.test>')).toBe('451 4.7.1 greylisted');
    mta.script = (line) => (line.startsWith('RCPT') ? '552 full' : undefined);
    expect(await talk.say('RCPT TO:<a@alice.test>')).toBe('552 5.0.0 full');
    mta.script = (line) => (line === '.' ? '554 5.7.1 spam' : undefined);
    await talk.say('RSET');
    expect(await submit(talk)).toBe('554 5.7.1 spam');
    mta.script = (line) => (line === 'DATA' ? '554 5.7.0 no data today' : undefined);
    expect(await submit(talk)).toBe('554 5.7.0 no data today');
    expect(await bob.mail.list()).toEqual([]);
  });

  it('a sender that the MTA refuses is refused at every RCPT, not held', async () => {
    const parts = await circle();
    join(parts);
    parts.mta.script = (line) => (line.startsWith('MAIL') ? '553 5.7.1 spoofed' : undefined);
    const talk = used(await talkTo(parts.bob.address));
    await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say('RCPT TO:<a@alice.test>')).toBe('553 5.7.1 spoofed');
    expect(await talk.say('RCPT TO:<b@alice.test>')).toBe('553 5.7.1 spoofed');
  });

  it('a second message on the same connection gets a transaction of its own', async () => {
    const parts = await circle();
    join(parts);
    const talk = used(await talkTo(parts.bob.address));
    for (const text of ['one', 'two', 'three'])
      expect(await submit(talk, { data: message(text) })).toMatch(/^250 /);
    expect(parts.mta.messages.map(({ data }) => withoutTrace(data))).toEqual(
      ['one', 'two', 'three'].map(message),
    );
    expect(parts.bob.liveStreams).toHaveLength(3);
  });

  it.each(['421 4.3.2 shutting down', '503 5.5.1 what?', 'drop'])(
    'an MTA that says %s to RCPT or to the dot never costs a message: it is held',
    async (answer) => {
      for (const when of ['RCPT', '.']) {
        const parts = await circle();
        join(parts);
        const { mta, bob } = parts;
        let times = 0;
        mta.script = (line) => (line.startsWith(when) && times++ === 0 ? answer : undefined);
        const talk = used(await talkTo(bob.address));
        expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
        await mta.received(1);
        expect(mta.messages).toHaveLength(1);
      }
    },
  );

  it('the owner lost in the middle of DATA: our own 250, and her MTA saw no dot', async () => {
    const parts = await circle();
    join(parts);
    const { mta, bob, bobStores } = parts;
    const talk = used(await talkTo(bob.address));
    await talk.say('MAIL FROM:<sender@out.test>');
    await talk.say('RCPT TO:<a@alice.test>');
    await talk.say('DATA');
    const half = `Subject: half\r\n\r\n${'line\r\n'.repeat(2000)}`;
    talk.send(half);
    bob.owner = undefined;
    bob.mail.ownerGone(bob.domains[0]?.ownerId ?? '');
    bob.liveStreams[0]?.abort(new Error('cable cut'));
    talk.send(`${'more\r\n'.repeat(2000)}`);
    expect(await talk.say('.')).toMatch(/^250 2\.0\.0 Ok: held/);
    expect(await count(bobStores.segments)).toBe(1);
    expect(mta.messages).toEqual([]);
    join(parts);
    const [arrived] = await mta.received(1);
    expect(withoutTrace(arrived?.data ?? '')).toBe(`${half}${'more\r\n'.repeat(2000)}`);
  });

  it('a 250 that got lost between owner and friend leads to no second copy', async () => {
    const parts = await circle();
    join(parts);
    const { mta, alice, bob } = parts;
    mta.script = (line) => {
      if (line !== '.') return undefined;
      // The path breaks at the moment the MTA says 250.
      bob.liveStreams[0]?.abort(new Error('cable cut'));
      return undefined;
    };
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 2\.0\.0 Ok: held/);
    await eventually(async () => {
      await bob.mail.flush();
      return (await bob.mail.list()).length === 0;
    });
    await eventually(async () => (await alice.mail.list()).length === 0);
    expect(mta.messages).toHaveLength(1);
  });

  it('a message that was delivered already is not delivered again by another way', async () => {
    const parts = await circle();
    const { mta, alice, bob } = parts;
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    join(parts);
    await mta.received(1);
    await eventually(async () => (await alice.mail.list()).length === 0);
    expect(await submit(talk)).toBe('250 2.0.0 received before');
    await eventually(() => mta.broken.length === 1);
    expect(mta.messages).toHaveLength(1);
  });

  it('a client that goes in the middle of DATA leaves nothing anywhere', async () => {
    const parts = await circle();
    join(parts);
    const { mta, bob, bobStores } = parts;
    const talk = await talkTo(bob.address);
    await talk.say('MAIL FROM:<sender@out.test>');
    await talk.say('RCPT TO:<a@alice.test>');
    await talk.say('DATA');
    talk.send(message('never finished'));
    await talk[Symbol.asyncDispose]();
    await eventually(() => mta.broken.length > 0);
    expect(mta.messages).toEqual([]);
    expect(await count(bobStores.segments)).toBe(0);
  });
});

describe('what is refused', () => {
  it.each([
    ['RCPT TO:<a@elsewhere.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<a%elsewhere.test@alice.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<elsewhere.test!a@alice.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<a@alice.test.evil.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<a@sub.alice.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<a@[127.0.0.1]>', /^550 5\.7\.1 /],
    ['RCPT TO:<a@alice.test> NOTIFY=NEVER,DELAY', /^501 5\.5\.4 /],
    ['RCPT TO:<a@alice.test> X=Y', /^555 5\.5\.4 /],
    ['RCPT TO:<>', /^501 /],
    ['RCPT TO:a@alice.test', /^501 /],
    ['RCPT TO:<a b@alice.test>', /^501 /],
    ['RCPT TO:<postmaster>', /^250 /],
    ['RCPT TO:<Abuse@ALICE.test>', /^250 /],
    ['RCPT TO:<@relay.test:a@alice.test>', /^250 /],
  ])('%s', async (command, answer) => {
    const { bob } = await circle();
    const talk = used(await talkTo(bob.address));
    await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say(command)).toMatch(answer);
  });

  it('a recipient of another owner gets 452 in the same transaction, and is taken in the next', async () => {
    const { bob } = await circle();
    const talk = used(await talkTo(bob.address));
    await talk.say('MAIL FROM:<s@out.test>');
    expect(await talk.say('RCPT TO:<a@alice.test>')).toMatch(/^250 /);
    expect(await talk.say('RCPT TO:<c@carol.test>')).toMatch(/^452 4\.5\.3 /);
    await talk.say('RSET');
    expect(await submit(talk, { to: ['c@carol.test'] })).toMatch(/^250 /);
  });

  it('more than 100 recipients, too large a SIZE, AUTH, STARTTLS without a certificate', async () => {
    const { bob } = await circle();
    const talk = used(await talkTo(bob.address));
    expect(await talk.say('MAIL FROM:<s@out.test> SIZE=999999999')).toMatch(/^552 5\.3\.4 /);
    expect(await talk.say('MAIL FROM:<s@out.test> RET=ALL')).toMatch(/^501 /);
    expect(await talk.say('AUTH PLAIN AGEAYg==')).toMatch(/^500 /);
    expect(await talk.say('STARTTLS')).toMatch(/^500 /);
    expect(await talk.say('EHLO again')).not.toMatch(/AUTH|STARTTLS/);
    await talk.say('MAIL FROM:<s@out.test>');
    for (let i = 0; i < 100; i++) expect(await talk.say(`RCPT TO:<r${i}@alice.test>`)).toMatch(/^250 /);
    expect(await talk.say('RCPT TO:<r100@alice.test>')).toMatch(/^452 4\.5\.3 /);
  });

  it.each([
    ['LF.LF', 'a\n.\nMAIL FROM:<evil@out.test>\r\n'],
    ['LF.CRLF', 'a\n.\r\nMAIL FROM:<evil@out.test>\r\n'],
    ['CRLF.LF', 'a\r\n.\nMAIL FROM:<evil@out.test>\r\n'],
    ['CR.CR', 'a\r.\rMAIL FROM:<evil@out.test>\r\n'],
    ['CR.CRLF', 'a\r.\r\nMAIL FROM:<evil@out.test>\r\n'],
    ['CRLF.CR', 'a\r\n.\rMAIL FROM:<evil@out.test>\r\n'],
    ['LF.CRCRLF', 'a\n.\r\r\nMAIL FROM:<evil@out.test>\r\n'],
    ['CRLF.CRCRLF', 'a\r\n.\r\r\nMAIL FROM:<evil@out.test>\r\n'],
    ['CRLF NUL.LF', 'a\r\n\0.\nMAIL FROM:<evil@out.test>\r\n'],
    ['a bare LF', 'a\nb\r\n'],
    ['a bare CR', 'a\rb\r\n'],
    ['a CR before CRLF', 'a\r\r\n'],
  ])('DATA with %s, held or live, whole or byte by byte; the MTA never sees its end', async (_name, body) => {
    for (const live of [false, true]) {
      const parts = await circle();
      if (live) join(parts);
      const { mta, bob, bobStores } = parts;
      for (const pieces of [[body], body.split('')]) {
        const talk = used(await talkTo(bob.address));
        talk.socket.setNoDelay(true);
        await talk.say('MAIL FROM:<s@out.test>');
        await talk.say('RCPT TO:<a@alice.test>');
        await talk.say('DATA');
        for (const piece of pieces) {
          talk.send(piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(await talk.say('\r\n.')).toMatch(/^550 5\.5\.2 bare CR or LF/);
        expect(await talk.say('NOOP')).toMatch(/^250 /);
      }
      expect(mta.messages).toEqual([]);
      expect(await count(bobStores.segments)).toBe(0);
    }
  });

  it('a message that has come through too many hops', async () => {
    const { bob } = await circle();
    const talk = used(await talkTo(bob.address));
    const hops = (count: number): string =>
      `${'Received: from a by b; now\r\n'.repeat(count)}${message('x')}`;
    expect(await submit(talk, { data: hops(100) })).toMatch(/^250 /);
    expect(await submit(talk, { data: hops(101) })).toMatch(/^554 5\.4\.6 /);
  });

  it('the thirty-first session from one address', async () => {
    const { bob } = await circle();
    const talks = await Promise.all(Array.from({ length: 30 }, async () => used(await talkTo(bob.address))));
    const late = used(await talkTo(bob.address));
    await late.closed();
    expect(await talks[0]?.say('NOOP')).toMatch(/^250 /);
    expect(bob.told.filter(({ kind, code }) => kind === 'refused' && code === 421)).toHaveLength(1);
  });
});

describe('mail for our own domains at our own listener', () => {
  it('goes to our MTA at once, and waits in our own queue while it is away', async () => {
    const mta = used(await startFakeMta());
    const alice = used(
      await startOwner({
        stores: memoryStores(),
        ...key,
        mta: mta.address,
        listen: [{ host: '127.0.0.1', port: 0 }],
      }),
    );
    const address = alice.mail.addresses[0] ?? { host: '', port: 0 };
    const talk = used(await talkTo(address));
    expect(await submit(talk, { data: message('now') })).toBe('250 2.0.0 Ok: queued as FAKE');
    mta.script = (line) => (line === 'connect' ? 'drop' : undefined);
    expect(await submit(talk, { data: message('later') })).toMatch(/^250 2\.0\.0 Ok: held/);
    expect(await alice.mail.list()).toMatchObject([{ state: 'queued' }]);
    mta.script = () => undefined;
    await alice.mail.flush();
    const arrived = await mta.received(2);
    expect(arrived.map(({ data }) => withoutTrace(data))).toEqual([message('now'), message('later')]);
    expect(arrived[1]?.data).toMatch(/by mx\.alice\.test \(copain\)/);
    expect(alice.mail.facts().domains[0]).toMatchObject({ acceptedTotal: 2 });
  });
});

it('disposing twice is harmless, and says 421 to who is connected', async () => {
  const bob = await startFriend({ stores: memoryStores(), recipient: key.recipient });
  const talk = used(await talkTo(bob.address));
  const goodbye = talk.say();
  await bob[Symbol.asyncDispose]();
  expect(await goodbye).toMatch(/^421 4\.3\.2 /);
  await bob[Symbol.asyncDispose]();
});
