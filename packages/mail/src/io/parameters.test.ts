import { expect, it } from 'vitest';
import { ageKey, aliceId, disposedAfterEach, memoryStores, startFriend, startOwner } from './testing.ts';
import { message, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();
const all = 'SIZE 50000000|8BITMIME|SMTPUTF8|PIPELINING|ENHANCEDSTATUSCODES|DSN';

/** Alice, whose MTA offers these extensions and notes MAIL and RCPT, and bob beside her. */
async function circle(extensions: string) {
  const lines: string[] = [];
  const offered = ['mta', ...(extensions === '' ? [] : extensions.split('|'))];
  const ehlo = offered.map((word, i) => `250${i < offered.length - 1 ? '-' : ' '}${word}`).join('\r\n');
  const mta = used(
    await startFakeMta({
      script: (line) => {
        if (/^(?:MAIL|RCPT)/.test(line)) lines.push(Buffer.from(line, 'latin1').toString('utf8'));
        return line.startsWith('EHLO') ? ehlo : undefined;
      },
    }),
  );
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  return { mta, alice, bob, lines };
}

const mail = 'MAIL FROM:<sender@out.test> SIZE=120 BODY=8BITMIME SMTPUTF8 RET=hdrs ENVID=QQ314+2B159';
const rcpts = [
  'RCPT TO:<a@alice.test> NOTIFY=success,delay ORCPT=rfc822;old+2Bname@alice.test',
  'RCPT TO:<b@alice.test> NOTIFY=NEVER',
  'RCPT TO:<c@alice.test>',
];
const rcptsPassedOn = [
  'RCPT TO:<a@alice.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old+2Bname@alice.test',
  'RCPT TO:<b@alice.test> NOTIFY=NEVER',
  'RCPT TO:<c@alice.test>',
];

it('says what it can do', async () => {
  const { bob } = await circle(all);
  const talk = used(await talkTo(bob.address));
  const said = (await talk.say('EHLO again')).split('\n').slice(1);
  expect(said.map((line) => line.slice(4)).sort()).toEqual([
    '8BITMIME',
    'DSN',
    'ENHANCEDSTATUSCODES',
    'PIPELINING',
    'SIZE 50000000',
    'SMTPUTF8',
  ]);
});

it('what a sender says of size, body, letters and reports reaches an MTA that understands it, live and from the spool', async () => {
  const { mta, alice, bob, lines } = await circle(all);
  const text = message('é');
  const bytes = Buffer.byteLength(text, 'latin1');
  const send = async (): Promise<void> => {
    const talk = used(await talkTo(bob.address));
    // All in one segment, as RFC 2920 lets a client do.
    talk.send([mail, ...rcpts, 'DATA', ''].join('\r\n'));
    for (const code of [250, 250, 250, 250, 354]) expect(await talk.say()).toMatch(new RegExp(`^${code} `));
    talk.send(text);
    expect(await talk.say('.')).toMatch(/^250 2\.0\.0 /);
  };
  bob.owner = alice.mail;
  await send();
  expect(lines).toEqual([
    'MAIL FROM:<sender@out.test> SMTPUTF8 BODY=8BITMIME SIZE=120 RET=HDRS ENVID=QQ314+2B159',
    ...rcptsPassedOn,
  ]);
  lines.length = 0;
  bob.owner = undefined;
  mta.messages.length = 0;
  const held = text.replace('Subject', 'X-Held: 1\r\nSubject');
  const late = used(await talkTo(bob.address));
  for (const line of [mail, ...rcpts]) expect(await late.say(line)).toMatch(/^250 /);
  await late.say('DATA');
  late.send(held);
  expect(await late.say('.')).toMatch(/^250 2\.0\.0 Ok: held/);
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await mta.received(1);
  expect(lines).toEqual([
    `MAIL FROM:<sender@out.test> SMTPUTF8 BODY=8BITMIME SIZE=${bytes + 11} RET=HDRS ENVID=QQ314+2B159`,
    ...rcptsPassedOn,
  ]);
});

it('an MTA without these extensions hears none of it', async () => {
  const { mta, alice, bob, lines } = await circle('8BITMIME');
  bob.owner = alice.mail;
  const talk = used(await talkTo(bob.address));
  for (const line of [mail.replace(' SMTPUTF8', ''), ...rcpts]) expect(await talk.say(line)).toMatch(/^250 /);
  await talk.say('DATA');
  talk.send(message('x'));
  expect(await talk.say('.')).toMatch(/^250 /);
  await mta.received(1);
  expect(lines).toEqual([
    'MAIL FROM:<sender@out.test> BODY=8BITMIME',
    'RCPT TO:<a@alice.test>',
    'RCPT TO:<b@alice.test>',
    'RCPT TO:<c@alice.test>',
  ]);
});

it('mail that needs SMTPUTF8 is refused for an MTA that lacks it, as RFC 6531 §3.5 asks', async () => {
  const { alice, bob } = await circle('8BITMIME');
  bob.owner = alice.mail;
  const talk = used(await talkTo(bob.address));
  expect(await talk.say('MAIL FROM:<s@out.test> SMTPUTF8')).toMatch(/^250 /);
  expect(await talk.say('RCPT TO:<a@alice.test>')).toMatch(/^550 5\.6\.7 /);
});

it.each([
  ['behind the dot', false],
  ['behind the dot, and closes its side at once', true],
])('a client that says QUIT %s still hears what became of its message', async (_name, closes) => {
  const { alice, bob, mta } = await circle(all);
  for (const live of [true, false]) {
    bob.owner = live ? alice.mail : undefined;
    const talk = used(await talkTo(bob.address));
    for (const line of ['MAIL FROM:<s@out.test>', 'RCPT TO:<a@alice.test>', 'DATA']) await talk.say(line);
    const last = `${message(`quick ${live}`)}.\r\nQUIT\r\n`;
    if (closes) talk.socket.end(last);
    else talk.send(last);
    expect(await talk.say()).toMatch(live ? /queued as FAKE/ : /held for the owner/);
    expect(await talk.say()).toMatch(/^221 /);
    await talk.closed();
  }
  expect(mta.messages).toHaveLength(1);
});
