import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Address, Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { type Postfix, startPostfix } from './lib/postfix.ts';
import { whyNot } from './lib/programs.ts';
import { run, runWell } from './lib/run.ts';
import { allTogether, openScene, seesUp, type Trio, threeFriends } from './lib/scene.ts';
import { sendData } from './lib/smtp-dialogue.ts';
import type { MessageJson } from './lib/status-json.ts';
import { letter, swaks } from './lib/swaks.ts';
import { temporaryFolder } from './lib/temporary-folder.ts';

const scene = openScene();
const skip = whyNot({ programs: ['postfix', 'swaks', 'openssl'], root: true }, 'raw live mail') !== undefined;
const anna = 'anna@alice.example';
let trio: Trio;
/** alice's own server, with a certificate; it knows anna and nobody else. */
let owner: Postfix;
/** The address of bob's box that is alice's alone. */
let raw: Address;
/** Where the sender comes from. */
let outside: string;

const send = (subject: string, more: { to?: string; tls?: boolean } = {}) =>
  swaks({
    server: raw,
    from: 'erika@outside.test',
    to: anna,
    message: letter(subject),
    source: outside,
    ...more,
  });

/** What some server somewhere takes for the end of a message (smuggling). */
const oddEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r\r\n',
  '\r\n.\r\r\n',
  '\r\n\0.\r\n',
];

/** A message with such an end in it, and behind that what would be a second one. */
const withSecond = (subject: string, end: string): string =>
  [
    `Subject: ${subject}\r\n\r\nHello.${end}MAIL FROM:<evil@outside.test>\r\nRCPT TO:<${anna}>\r\nDATA\r\n`,
    'Subject: second\r\n\r\nHello again.\r\n',
  ].join('');

const inMailbox = (subject: string): string[] =>
  owner
    .mailbox('anna')
    .map((message) => message.toString('utf8'))
    .filter((message) => message.includes(`Subject: ${subject}\n`));

/** The subject of each message there is. */
const subjects = (): (string | undefined)[] =>
  owner.mailbox('anna').map((message) => /^Subject: (.*)$/m.exec(message.toString('latin1'))?.[1]);

async function heldBy(box: Box): Promise<number> {
  const { messages } = await box.json<{ messages: MessageJson[] }>(['mail', 'list']);
  return messages.filter(({ state }) => state === 'held').length;
}

/** How often the log of bob's agent has this line. */
const passedOn = (): number => trio.bob.log().split('a mail connection was passed on').length - 1;

/** The canary that this box sends through bob comes back whole. */
async function canaryBack(box: Box): Promise<void> {
  await eventually(`the canary of ${box.name} is back`, async () => {
    const probes = (await box.status()).mail.flatMap((row) => row.probes ?? []);
    if (probes.some(({ friend, canary }) => friend === 'bob' && canary?.state === 'arrived')) return true;
    await box.peer(['doctor', 'mail']);
    return false;
  });
}

async function certificate(folder: string): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile] = [`${folder}/mta.crt`, `${folder}/mta.key`];
  const made =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mta.alice.example';
  await runWell(['openssl', ...made.split(' '), '-keyout', keyFile, '-out', certFile]);
  chmodSync(keyFile, 0o600);
  return { certFile, keyFile };
}

describe.skipIf(skip)('an address at bob’s that is alice’s alone', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
    const folder = scene.use(temporaryFolder('raw-tls'));
    raw = { host: trio.address(25), port: 2525 };
    outside = trio.address(99);
    owner = scene.use(
      await startPostfix({
        name: 'raw-owner',
        address: { host: trio.address(9), port: 2500 },
        owner: {
          domain: 'alice.example',
          users: ['anna'],
          proxyProtocol: true,
          tls: await certificate(folder.path),
        },
      }),
    );
    const { bob, alice } = trio;
    bob.write(
      'peer.toml',
      `${bob.read('peer.toml')}\n[[smtp.raw]]\nlisten = "${raw.host}:${raw.port}"\nowner = "alice"\n`,
    );
    await bob.stop();
    await bob.up();
    await allTogether([trio.alice, trio.bob, trio.carol]);
    const deliver = `${owner.address.host}:${owner.address.port}`;
    await alice.well(['mail', 'add', 'alice.example', '--deliver', deliver, '--client', 'proxy-v2']);
    await eventually('bob takes mail for alice', async () =>
      (await bob.status()).mail.some(({ domain, role }) => domain === 'alice.example' && role === 'backup'),
    );
  });

  it('leads to her own Postfix, which sees the true client and refuses whom it does not know in its own words', async () => {
    const sent = await send('raw');
    expect(sent.accepted).toBe(true);
    expect(sent.replies[0]).toMatch(/^220 raw-owner\.test ESMTP Postfix/);
    const [mail, ...more] = await eventually('it is in the mailbox', () => {
      const found = inMailbox('raw');
      return found.length > 0 && found;
    });
    expect(more).toEqual([]);
    expect(mail).toContain('Grüße aus Zürich.\n.a line with a leading dot\n..and one with two\n.\n');
    // One trace header, her own server's: the friend added none.
    expect(mail?.match(/^Received: /gm)).toHaveLength(1);
    expect(owner.log()).toContain(`client=unknown[${outside}]`);
    const unknown = await send('unknown', { to: 'nobody@alice.example' });
    expect(unknown.accepted).toBe(false);
    expect(unknown.replies.find((reply) => reply.startsWith('550'))).toMatch(
      /^550 5\.1\.1 <nobody@alice\.example>: Recipient address rejected: User unknown/,
    );
    await eventually('both connections are told', () => passedOn() === 2);
    const { host, port } = trio.bob.http;
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    expect(metrics).toContain('copain_mail_raw_connections_total{friend="alice",outcome="passed"} 2');
    expect((await trio.bob.status()).mail).toMatchObject([{ domain: 'alice.example', state: 'live' }]);
    expect(await heldBy(trio.bob)).toBe(0);
  });

  it('shows her certificate at STARTTLS, and takes mail over it that bob cannot read', async () => {
    const shown = await run(
      ['openssl', 's_client', '-starttls', 'smtp', '-connect', `${raw.host}:${raw.port}`, '-showcerts'],
      { stdin: 'QUIT\r\n' },
    );
    expect(shown.stdout).toMatch(/subject=CN ?= ?mta\.alice\.example/);
    const sent = await send('over TLS', { tls: true });
    expect(sent.accepted).toBe(true);
    await eventually('it is in the mailbox', () => inMailbox('over TLS').length === 1);
    expect(inMailbox('over TLS')[0]).toContain('ESMTPS');
    expect(owner.log()).toContain(`TLS connection established from unknown[${outside}]`);
  });

  it('is no way to relay through her', async () => {
    const sent = await send('relay', { to: 'someone@elsewhere.test' });
    expect(sent.accepted).toBe(false);
    expect(sent.replies.find((reply) => /^[45]54 /.test(reply))).toMatch(/Relay access denied/);
  });

  it('at the address that all share her Postfix makes one message of each, whatever line ends and dots are in it', async () => {
    for (const [i, end] of oddEnds.entries()) {
      const answer = await sendData(trio.bob.smtp, anna, withSecond(`odd ${i}`, end));
      expect([end, answer]).toEqual([end, expect.stringMatching(/^(?:550 5\.5\.2 bare|250 )/)]);
    }
    expect(await sendData(trio.bob.smtp, anna, withSecond('dots', '\r\n..\r\n'))).toMatch(/^250 /);
    await eventually('it is in the mailbox', () => inMailbox('dots').length > 0);
    expect(subjects()).not.toContain('second');
    expect(inMailbox('dots')).toHaveLength(1);
  });

  it('holds mail while her server is off and her agent is there', async () => {
    await owner.stop();
    const before = passedOn();
    const sent = await send('server away');
    expect(sent.accepted).toBe(true);
    expect(await sendData(trio.bob.smtp, anna, withSecond('held dots', '\r\n\0.\r\n'))).toMatch(/^250 /);
    expect(sent.replies[0]).not.toContain('Postfix');
    expect(passedOn()).toBe(before);
    await owner.start();
    await trio.alice.well(['mail', 'flush']);
    await eventually('it is in the mailbox', () => inMailbox('server away').length === 1, 60_000);
    await eventually('and so is the other', () => inMailbox('held dots').length === 1);
    expect(subjects()).not.toContain('second');
  });

  it('holds mail on the same port while she is off, and all of it is with her once after her return', async () => {
    await trio.alice.stop();
    const sent = await send('held');
    expect(sent.accepted).toBe(true);
    expect(await heldBy(trio.bob)).toBe(1);
    const foreign = await send('not for her', { to: 'someone@carol.example' });
    expect(foreign.accepted).toBe(false);
    await trio.alice.up();
    await eventually('it is in the mailbox', () => inMailbox('held').length > 0, 30_000);
    await eventually('bob has let go of it', async () => (await heldBy(trio.bob)) === 0);
    expect(inMailbox('held')).toHaveLength(1);
    await eventually('new mail is passed on as it is again', async () => {
      const before = passedOn();
      await send('back');
      return passedOn() > before;
    });
  });

  it('beside the address for all: a canary of her second box comes to the first, which knows from the second that it is one', async () => {
    const { alice, bob, address } = trio;
    const second = scene.box({ name: 'second', host: address(5) });
    await second.init();
    await second.up();
    const roles = ['--roles', 'sign-grant,mail,watch'];
    const code = (await alice.well(['box', 'add', 'second', ...roles])).trimEnd().split('\n').at(-1) ?? '';
    await second.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
    const deliver = `${owner.address.host}:${owner.address.port}`;
    await second.well(['mail', 'add', 'alice.example', '--deliver', deliver, '--client', 'proxy-v2']);
    await eventually('second sees bob', () => seesUp(second, ['bob']));
    await canaryBack(second);
    expect(await heldBy(bob)).toBe(0);
    await second.stop();
  });

  it('lets a canary of hers through to bob, who holds it, where no other address leads to him', async () => {
    const { alice, bob, carol } = trio;
    const config = bob.read('peer.toml');
    bob.write('peer.toml', config.replace(/(\[smtp\]\n(?:.*\n)*?listen *= *)\[[^\]]*\]/, '$1[]'));
    await bob.stop();
    await bob.up();
    await allTogether([alice, bob, carol]);
    await canaryBack(alice);
    expect(owner.log()).not.toContain('postmaster+copain');
  });

  it('cuts the connection when she goes in the middle of a session, so that the sender comes again', async () => {
    const client = connect({ ...raw });
    let heard = '';
    client.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    client.on('error', () => {});
    const closed = new Promise((resolve) => client.once('close', resolve));
    const lines = ['EHLO x.test', 'MAIL FROM:<x@outside.test>', `RCPT TO:<${anna}>`, 'DATA'];
    client.write(`${lines.join('\r\n')}\r\n`);
    await eventually('her server wants the message', () => heard.includes('\r\n354 '));
    client.write('Subject: cut\r\n\r\nhalf of it\r\n');
    await trio.alice.kill();
    await closed;
    expect(heard.slice(heard.indexOf('354 '))).not.toMatch(/\r\n[245]\d\d /);
    expect((await send('cut')).accepted).toBe(true);
    await trio.alice.up();
    await eventually('it is in the mailbox', () => inMailbox('cut').length > 0, 30_000);
    expect(inMailbox('cut')).toHaveLength(1);
    expect(inMailbox('cut')[0]).not.toContain('half of it');
  });
});
