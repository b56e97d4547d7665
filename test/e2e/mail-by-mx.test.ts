import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { startDovecot } from './lib/dovecot.ts';
import { eventually } from './lib/eventually.ts';
import { type Exim, startExim } from './lib/exim.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { type Postfix, startPostfix } from './lib/postfix.ts';
import { whyNot } from './lib/programs.ts';
import { openScene, threeFriendsIn } from './lib/scene.ts';
import type { MessageJson } from './lib/status-json.ts';
import { letter, swaks } from './lib/swaks.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip =
  whyNot(
    { programs: ['postfix', 'swaks', 'dig', 'ip', 'bridge', 'dovecot', 'exim4'], root: true },
    'mail by MX',
  ) !== undefined;
const origin = 'alice.example';
const anna = `anna@${origin}`;
const from = 'erika@outside.test';
let network: Network;
let alice: Box;
let bob: Box;
let carol: Box;
/** alice's own server, which knows anna and nobody else, and has a Dovecot store what it takes. */
let owner: Postfix;
/** A server somewhere on the internet. */
let outside: Postfix;
/** Another one, of another make. */
let exim: Exim;

/** Hands a message to the outside server, which then finds its way by itself. */
async function sendByMx(subject: string, to = anna): Promise<void> {
  const sent = await swaks({
    server: outside.address,
    from,
    to,
    message: letter(subject),
    namespace: network.namespace('outside'),
  });
  expect(sent.accepted).toBe(true);
}

/** The same by the sender's own program, with a wish for reports; the subject is the name of the wish. */
const report = (envid: string, notify: string): Promise<void> =>
  outside.sendmail({ from, to: anna, message: letter(envid), notify, envid });

const inMailbox = (subject: string): string[] =>
  owner
    .mailbox('anna')
    .map((message) => message.toString('utf8'))
    .filter((message) => message.includes(`Subject: ${subject}\n`));

async function heldBy(box: Box): Promise<number> {
  const { messages } = await box.json<{ messages: MessageJson[] }>(['mail', 'list']);
  return messages.filter(({ state }) => state === 'held').length;
}

describe.skipIf(skip)('real Postfix on both ends, on ports 25 and 53', () => {
  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'carol', 'outside']));
    ({ alice, bob, carol } = await threeFriendsIn(scene, network));
    const inside = { host: '127.0.0.1', port: 2525 };
    const lmtp = { host: '127.0.0.1', port: 2424 };
    owner = scene.use(
      await startPostfix({
        name: 'owner',
        address: inside,
        namespace: alice.namespace,
        owner: { domain: origin, users: ['anna'], proxyProtocol: true, lmtp },
      }),
    );
    scene.use(await startDovecot({ address: lmtp, namespace: alice.namespace, mail: owner.mailFolder }));
    network.nameServers('outside', [bob.host, carol.host]);
    outside = scene.use(
      await startPostfix({
        name: 'outside',
        address: { host: network.host('outside'), port: 25 },
        namespace: network.namespace('outside'),
        sender: true,
      }),
    );
    exim = scene.use(startExim({ name: 'exim.test', namespace: network.namespace('outside') }));
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', origin, '--file', zone]);
    await alice.well(['mail', 'add', origin, '--deliver', '127.0.0.1:2525', '--client', 'proxy-v2']);
    for (const box of [bob, carol]) {
      await eventually(`${box.name} serves the zone and takes the mail`, async () => {
        const serial = await authoritativeSerial(box.dns, origin, { namespace: box.namespace });
        return serial === 1 && (await box.status()).mail.some(({ domain }) => domain === origin);
      });
    }
  });

  it('goes through bob at once while alice is up, and her server sees the true client', async () => {
    await sendByMx('by MX, live');
    await eventually('anna has it', () => inMailbox('by MX, live').length > 0, 20_000);
    const sent = new RegExp(`relay=ns1\\.alice\\.example\\[${bob.host}\\]:25.*status=sent`);
    await eventually('the outside server writes down by whom', () => sent.test(outside.log()));
    // In her server's own words: the trace header that bob wrote names the client in any case.
    expect(owner.log()).toContain(`client=unknown[${network.host('outside')}]`);
    expect(await heldBy(bob)).toBe(0);
  });

  it('from Exim goes the same way, and is stored by Dovecot', async () => {
    await exim.send({ from, to: [anna, `nobody@${origin}`], message: letter('by Exim, live') });
    expect(exim.log()).toMatch(new RegExp(`=> ${anna} .*H=ns1\\.alice\\.example \\[${bob.host}\\]`));
    expect(exim.log()).toMatch(new RegExp(`\\*\\* nobody@${origin} .*550 5\\.1\\.1`));
    await eventually('anna has it', () => inMailbox('by Exim, live').length > 0, 20_000);
    expect(inMailbox('by Exim, live')[0]).toMatch(/^Received: from .* with LMTP$/ms);
    expect(await heldBy(bob)).toBe(0);
  });

  it('is reported on by her server as its sender wished', async () => {
    await report('live-1', 'success');
    await report('never-1', 'never');
    await eventually('anna has both', () => inMailbox('never-1').length + inMailbox('live-1').length === 2);
    const reported = await eventually('she reports', async () => {
      const text = await owner.queueText();
      return text.includes('Original-Envelope-Id: live-1') && text;
    });
    expect(reported).toMatch(/Original-Recipient: rfc822;anna@alice\.example\nAction: \w+\nStatus: 2\./);
    expect(reported).not.toContain('never-1');
  });

  it('bounces at the sender with the 550 of her own server', async () => {
    await sendByMx('to nobody', `nobody@${origin}`);
    await eventually(
      'the sender was told',
      () => /status=bounced .*User unknown/.test(outside.log()),
      20_000,
    );
    expect(outside.log()).toMatch(/status=bounced \(host ns1\.alice\.example.*550 5\.1\.1/);
  });

  it('is what alice’s agent asks at the addresses of the MX records, and what is wrong with them it says', async () => {
    const { code, stdout } = await alice.peer(['doctor', 'mail', '--json']);
    const { checks } = JSON.parse(stdout) as { checks: { id: string; ok: boolean | null; text: string }[] };
    for (const box of [bob, carol]) {
      const asked = checks.find(({ id }) => id === `mail.backup.${origin}.${box.name}`);
      expect(asked).toMatchObject({
        ok: true,
        text: expect.stringContaining(`passes mail on at ${box.host}:25`),
      });
    }
    const published = checks.find(({ id }) => id === `mail.dns.${origin}.mx`);
    expect([code, published?.ok, published?.text]).toEqual([
      1,
      false,
      `No MX record of ${origin} is your own server's: all mail goes to friends.`,
    ]);
    const fitting = await alice.well(['mail', 'dns', origin]);
    expect(fitting).toContain('; compared with the zone as this box serves it');
    expect(fitting).toMatch(
      /^alice\.example\. MX 10 mx\.alice\.example\. {2}; not published so: your own server$/m,
    );
    expect(fitting).toMatch(/^alice\.example\. MX 20 ns[12]\.alice\.example\. /m);
    expect(fitting).toContain('\nmx: ns1.alice.example\n');
  });

  it('is held by the first MX while alice is off, and in her mailbox within 5 s of her return', async () => {
    await alice.stop();
    await sendByMx('by MX, held');
    await exim.send({ from, to: [anna], message: letter('by Exim, held') });
    expect(exim.log()).toContain('held for the owner');
    await report('held-1', 'success');
    await eventually('bob holds all', async () => (await heldBy(bob)) === 3, 20_000);
    await eventually('the sender has let go of it', async () => (await outside.queuedFor(anna)) === 0);
    await alice.up();
    await eventually('anna has it', () => inMailbox('by MX, held').length > 0, 5000);
    await eventually('bob has let go of it', async () => (await heldBy(bob)) === 0, 5000);
    expect(inMailbox('by MX, held')).toHaveLength(1);
    expect(inMailbox('by MX, held')[0]?.endsWith(letter('by MX, held'))).toBe(true);
    expect(inMailbox('by Exim, held')[0]?.endsWith(letter('by Exim, held'))).toBe(true);
    await eventually('she reports', async () =>
      (await owner.queueText()).includes('Original-Envelope-Id: held-1'),
    );
  });

  it('goes to the second MX when the first is off', async () => {
    await alice.stop();
    await bob.stop();
    await sendByMx('by the second MX');
    await eventually('carol holds it', async () => (await heldBy(carol)) === 1, 30_000);
    await alice.up();
    await eventually('anna has it', () => inMailbox('by the second MX').length > 0, 5000);
    expect(inMailbox('by the second MX')).toHaveLength(1);
    await bob.up();
  });
});
