import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { recipientsMax } from '../limits.ts';
import {
  ageKey,
  aliceId,
  type FriendBox,
  memoryStores,
  type OwnerBox,
  startFriend,
  startOwner,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { type FakeMta, startFakeMta } from './testing-mta.ts';

/** Every shape in which somebody may ask for another domain than those that are taken in here. */
const shapes = [
  'v@elsewhere.test',
  'v%elsewhere.test@alice.test',
  'v%elsewhere.test%alice.test@alice.test',
  'v%elsewhere.test@bob.test',
  'elsewhere.test!v@alice.test',
  'elsewhere.test!v',
  '"v@elsewhere.test"@alice.test',
  '"v%elsewhere.test"@alice.test',
  '"elsewhere.test!v"@alice.test',
  '"v@elsewhere.test"',
  'v@elsewhere.test@alice.test',
  'v@alice.test@elsewhere.test',
  '@alice.test:v@elsewhere.test',
  '@alice.test,@bob.test:v@elsewhere.test',
  'v@[192.0.2.1]',
  'v@[127.0.0.1]',
  'v@[IPv6:::1]',
  'v@192.0.2.1',
  'v@localhost',
  'v@mx.bob.test',
  'v',
  'v@',
  '@elsewhere.test',
  'v@sub.alice.test',
  'v@alice.test.elsewhere.test',
  'v@xalice.test',
  'v@alice.tes',
  'v@alice.test..',
  'v@.alice.test',
  'v@alice.test,v@elsewhere.test',
  'v@alice.test;v@elsewhere.test',
  'v@alice.test v@elsewhere.test',
  '<v@elsewhere.test>@alice.test',
  'v\\@elsewhere.test@alice.test',
  '"v"@elsewhere.test@alice.test',
  '"v\\"@elsewhere.test"@alice.test',
  '|/bin/true@elsewhere.test',
  'v@аlice.test',
  'v@alice\u3002test.elsewhere.test',
];

/** Not about the recipient: who says he sends, who he is, what else he asks for. */
const senders = [
  '',
  'a@alice.test',
  'root@mx.bob.test',
  'postmaster@bob.test',
  'v@[127.0.0.1]',
  'a%b@out.test',
];

describe('whoever asks us to relay', () => {
  let mta: FakeMta;
  let alice: OwnerBox;
  let bob: FriendBox;
  beforeAll(async () => {
    const key = await ageKey();
    mta = await startFakeMta();
    alice = await startOwner({ stores: memoryStores(), ...key, mta: mta.address });
    bob = await startFriend({ stores: memoryStores(), recipient: key.recipient });
    return async () => {
      for (const one of [bob, alice, mta]) await one[Symbol.asyncDispose]();
    };
  });
  const wire = (text: string): string => Buffer.from(text).toString('latin1');

  it.each([
    ['while the owner is there', true],
    ['while she is away', false],
  ])('is refused in every shape %s, for good, and the next one is served', async (_name, live) => {
    bob.owner = live ? alice.mail : undefined;
    const open: string[] = [];
    for (const from of senders) {
      await using talk = await talkTo(bob.address);
      expect(await talk.say(`MAIL FROM:<${from}>`)).toMatch(/^250 /);
      for (const shape of shapes) {
        const answer = await talk.say(`RCPT TO:<${wire(shape)}>`);
        if (!/^(?:550 5\.7\.1|501 5\.\d\.\d|553 5\.6\.7) /.test(answer)) open.push(`${shape}: ${answer}`);
      }
      expect(await talk.say('DATA')).toMatch(/^503 /);
      expect(await talk.say('RCPT TO:<a@alice.test>')).toMatch(/^250 /);
    }
    expect(open).toEqual([]);
    expect(mta.messages).toEqual([]);
    expect(await bob.mail.list()).toEqual([]);
  });

  it('by a command that names him or another client is not believed', async () => {
    await using talk = await talkTo(bob.address);
    for (const command of [
      'AUTH PLAIN AGEAYg==',
      'AUTH LOGIN',
      'XCLIENT ADDR=127.0.0.1 LOGIN=root',
      'XFORWARD ADDR=127.0.0.1',
      'PROXY TCP4 127.0.0.1 127.0.0.1 1 25',
      'ETRN elsewhere.test',
      'BDAT 5 LAST',
    ])
      expect([command, await talk.say(command)]).toEqual([command, expect.stringMatching(/^5\d\d /)]);
    await using fresh = await talkTo(bob.address);
    for (const command of ['VRFY a@alice.test', 'EXPN a@alice.test', 'SEND FROM:<a@b.test>', 'TURN'])
      expect([command, await fresh.say(command)]).toEqual([
        command,
        expect.not.stringMatching(/^25[01] |alice/),
      ]);
  });

  it('still reaches postmaster and abuse of a domain that is taken in, with any local part that is one', async () => {
    bob.owner = undefined;
    for (const to of [
      'postmaster',
      'Postmaster@alice.test',
      'ABUSE@alice.test',
      'a+b@alice.test',
      'a@ALICE.test',
      '"a"@alice.test',
    ]) {
      await using talk = await talkTo(bob.address);
      expect([to, await submit(talk, { to: [to], data: message(to) })]).toEqual([
        to,
        expect.stringMatching(/^250 /),
      ]);
    }
  });
});

it('of 3,000 recipients in one segment the first hundred are taken, the rest come again, and the message is', async () => {
  const key = await ageKey();
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: memoryStores(), ...key, mta: mta.address });
  await using bob = await startFriend({ stores: memoryStores(), recipient: key.recipient });
  await using talk = await talkTo(bob.address);
  const rcpts = Array.from({ length: 3000 }, (_, i) => `RCPT TO:<r${i}@alice.test>\r\n`);
  talk.send(`MAIL FROM:<s@out.test>\r\n${rcpts.join('')}`);
  expect(await talk.say()).toMatch(/^250 /);
  const answers: string[] = [];
  for (const _ of rcpts) answers.push(await talk.say());
  expect(answers.filter((answer) => answer.startsWith('250 ')).length).toBe(recipientsMax);
  expect(answers.slice(recipientsMax).every((answer) => answer.startsWith('452 4.5.3 '))).toBe(true);
  await talk.say('DATA');
  talk.send(message('many'));
  expect(await talk.say('.')).toMatch(/^250 /);
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  const [arrived] = await mta.received(1);
  expect(arrived?.recipients).toEqual(Array.from({ length: recipientsMax }, (_, i) => `r${i}@alice.test`));
});

it('whatever we refuse for good ourselves is size, syntax, a loop or relaying', () => {
  const allowed: Record<string, string> = {
    '5.1.3': 'syntax of a recipient',
    '5.1.7': 'syntax of a sender',
    '5.3.4': 'size',
    '5.4.6': 'loop',
    '5.5.1': 'order of commands',
    '5.5.2': 'syntax of the message',
    '5.5.4': 'syntax of parameters',
    '5.6.7': 'letters without SMTPUTF8',
    '5.7.1': 'relaying',
  };
  const sources = ['packages/mail/src', 'packages/mail/src/io'].flatMap((dir) =>
    readdirSync(dir)
      .filter((file) => file.endsWith('.ts') && !/test/.test(file))
      .map((file) => readFileSync(`${dir}/${file}`, 'utf8')),
  );
  const ours = sources.flatMap((source) =>
    [...source.matchAll(/(?:reply|refused)\(\s*(5\d\d),\s*['`](\d\.\d+\.\d+)?/g)].map(
      ([, , code = 'none']) => code,
    ),
  );
  expect(ours.length).toBeGreaterThan(15);
  expect([...new Set(ours)].filter((code) => !(code in allowed))).toEqual([]);
});
