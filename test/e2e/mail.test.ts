import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { type Recorded, type RecordingMta, startRecordingMta } from './lib/recording-mta.ts';
import { runWell } from './lib/run.ts';
import { allTogether, openScene, type Trio, threeFriends } from './lib/scene.ts';
import { send as say } from './lib/smtp-dialogue.ts';
import type { MessageJson } from './lib/status-json.ts';
import { letter, swaks } from './lib/swaks.ts';

const scene = openScene();
const skip = whyNot({ programs: ['swaks', 'prlimit'] }, 'mail') !== undefined;
const anna = 'anna@alice.example';
const erika = 'erika@outside.test';
let trio: Trio;
let mta: RecordingMta;

const send = (box: Box, message: string, to = anna) => swaks({ server: box.smtp, from: erika, to, message });

async function waiting(box: Box): Promise<MessageJson[]> {
  const { messages } = await box.json<{ messages: MessageJson[] }>(['mail', 'list']);
  return messages.filter(({ state }) => state !== 'delivered');
}

/** What the MTA was given under this subject. */
function arrived(subject: string): Recorded[] {
  return mta.messages.filter(({ data }) => data.includes(`Subject: ${subject}\r\n`));
}

/** The message without the trace header in front (RFC 5321 §4.4), which must be there. */
function withoutTrace(data: Buffer): string {
  const text = data.toString('latin1');
  const trace = /^(?:Received: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*)+/.exec(text)?.[0];
  expect(trace, 'a trace header').toBeDefined();
  return Buffer.from(text.slice(trace?.length), 'latin1').toString('utf8');
}

/** What `peer doctor mail` finds, but for DNS: what this machine's resolver says of the domain is not the circle's doing. */
async function checked(): Promise<{ ok: boolean | null; text: string }[]> {
  const { code, stdout } = await trio.alice.peer(['doctor', 'mail', '--json']);
  const { schema, checks } = JSON.parse(stdout) as {
    schema: string;
    checks: { id: string; ok: boolean | null; text: string }[];
  };
  expect([schema, code]).toEqual(['peer.doctor.mail/1', checks.some(({ ok }) => ok === false) ? 1 : 0]);
  return checks.filter(({ id }) => !id.startsWith('mail.dns.'));
}
const bad = (checks: readonly { ok: boolean | null; text: string }[]): string[] =>
  checks.flatMap(({ ok, text }) => (ok === false ? [text] : []));
const texts = (checks: readonly { text: string }[]): string => checks.map(({ text }) => text).join('\n');

const onTheWire = (message: string): string => message.replaceAll('\n', '\r\n');

describe.skipIf(skip)('mail for alice', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
    mta = scene.use(
      await startRecordingMta({
        address: { host: trio.address(9), port: 2500 },
        refuse: (recipient) =>
          recipient.startsWith('nobody@') ? '550 5.1.1 no nobody lives here' : undefined,
        refuseData: (data) => (data.includes('lottery') ? '554 5.7.1 we do not want this' : undefined),
      }),
    );
    const deliver = `${mta.address.host}:${mta.address.port}`;
    await trio.alice.well(['mail', 'add', 'alice.example', '--deliver', deliver, '--client', 'none']);
    for (const box of [trio.bob, trio.carol]) {
      await eventually(`${box.name} takes mail for alice`, async () =>
        (await box.status()).mail.some(({ domain, role }) => domain === 'alice.example' && role === 'backup'),
      );
    }
  });

  it('for other domains is refused, whoever is there: no open relay', async () => {
    for (const to of [
      'someone@elsewhere.test',
      'someone%elsewhere.test@bob.example',
      '@alice.example:x@elsewhere.test',
    ]) {
      const sent = await send(trio.bob, letter('relay'), to);
      expect([to, sent.accepted]).toEqual([to, false]);
      expect(sent.replies.some((reply) => /^55\d|^501/.test(reply))).toBe(true);
    }
    expect(mta.messages).toEqual([]);
  });

  it('is passed on at once while alice is up: her MTA has it when bob says 250', async () => {
    const message = letter('live');
    const sent = await send(trio.bob, message);
    expect(sent.accepted).toBe(true);
    const [live, ...more] = arrived('live');
    expect(more).toEqual([]);
    expect(live).toMatchObject({ from: erika, recipients: [anna] });
    expect(withoutTrace(live?.data ?? Buffer.alloc(0))).toBe(onTheWire(message));
    expect(await waiting(trio.bob)).toEqual([]);
  });

  it('is refused by bob in the words of her MTA, for a recipient and for a message', async () => {
    const unknown = await send(trio.bob, letter('unknown'), 'nobody@alice.example');
    expect(unknown.accepted).toBe(false);
    expect(unknown.replies.find((reply) => reply.startsWith('550'))).toBe('550 5.1.1 no nobody lives here');
    const spam = await send(trio.bob, `${letter('spam')}lottery\n`);
    expect(spam.accepted).toBe(false);
    expect(spam.replies.find((reply) => reply.startsWith('554'))).toBe('554 5.7.1 we do not want this');
    expect(await waiting(trio.bob)).toEqual([]);
    expect([...arrived('unknown'), ...arrived('spam')]).toEqual([]);
  });

  it('is kept by bob while alice is off, shown in mail list, and survives kill -9 right after the 250', async () => {
    await trio.alice.stop();
    const sent = await send(trio.bob, letter('held'));
    expect(sent.accepted).toBe(true);
    await trio.bob.kill();
    // A mail index that does not open is no reason not to start, and nothing is lost with it.
    await rm(join(trio.bob.home, 'state/mail/index/db/CURRENT'));
    await trio.bob.up();
    const [held, ...more] = await waiting(trio.bob);
    expect(more).toEqual([]);
    expect(held).toMatchObject({ domain: 'alice.example', state: 'held' });
    expect((await trio.bob.status()).mail).toMatchObject([
      { domain: 'alice.example', role: 'backup', messages: 1 },
    ]);
    expect(await send(trio.bob, letter('relay while away'), 'x@elsewhere.test')).toMatchObject({
      accepted: false,
    });
  });

  it('is never refused for good while bob starts, from the first answer on', async () => {
    await trio.bob.stop();
    const answers: string[] = [];
    let ready = false;
    const starting = trio.bob.up().then(() => {
      ready = true;
    });
    while (!ready) {
      const answer = await say(trio.bob.smtp, anna, 'starting').catch(() => 'not there yet');
      if (answer !== 'not there yet') answers.push(answer);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await starting;
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter((answer) => !answer.startsWith('250'))).toEqual([]);
    expect(await waiting(trio.bob)).toHaveLength(2);
  });

  it('reaches her MTA within 5 s of her return, once and unchanged, and then leaves bob', async () => {
    await trio.alice.up();
    await eventually('it is delivered', () => arrived('held').length > 0, 5000);
    await eventually('bob has let go of it', async () => (await waiting(trio.bob)).length === 0, 5000);
    await trio.alice.well(['wait', '--for', 'mail-empty:alice.example', '--timeout', '5s']);
    expect(arrived('held')).toHaveLength(1);
    expect(withoutTrace(arrived('held')[0]?.data ?? Buffer.alloc(0))).toBe(onTheWire(letter('held')));
    expect(arrived('held')[0]).toMatchObject({ from: erika, recipients: [anna] });
  });

  it('is receipted: bob’s signed word of what he took reaches alice, and is in her view of him', async () => {
    await eventually(
      'alice has the receipt',
      async () => {
        const { friend } = await trio.alice.json<{ friend: { tookForMe: { messages: number } | null } }>([
          'friends',
          'show',
          'bob',
        ]);
        return friend.tookForMe?.messages === 2;
      },
      30_000,
    );
    expect(await trio.alice.well(['friends', 'show', 'bob'])).toMatch(/took for me +2 messages, .*in all/);
    const checks = await checked();
    expect(texts(checks)).toContain('bob accepted 2 messages for you: 2 arrived');
    expect(bad(checks)).toEqual([]);
  });

  it('finds both friends ready when they are asked as by a stranger, and a canary through each comes back', async () => {
    const said = texts(await checked());
    for (const name of ['bob', 'carol'])
      expect(said).toContain(`${name} as a backup of alice.example takes mail`);
    await eventually('both canaries are back', async () => {
      const probes = (await trio.alice.status()).mail[0]?.probes ?? [];
      return (
        probes.length === 2 && probes.every(({ ok, canary }) => ok === true && canary?.state === 'arrived')
      );
    });
    expect(texts(await checked())).toContain('was held and came back whole within');
    const metrics = await (
      await fetch(`http://${trio.alice.http.host}:${trio.alice.http.port}/metrics`)
    ).text();
    expect(metrics).toContain('copain_mail_probe_up{domain="alice.example",friend="bob"} 1\n');
    expect(metrics).toContain('copain_mail_probe_canary_up{domain="alice.example",friend="carol"} 1\n');
    expect(mta.messages.filter(({ data }) => data.includes('canary'))).toEqual([]);
    expect(await waiting(trio.bob)).toEqual([]);
  });

  it('and lost at bob is missed by its number, until alice lets it go', async () => {
    await trio.alice.stop();
    expect((await send(trio.bob, letter('lost'))).accepted).toBe(true);
    await trio.bob.stop();
    await rm(join(trio.bob.home, 'state/mail/held'), { recursive: true });
    await trio.bob.up();
    await trio.alice.up();
    const missed = async (): Promise<boolean> =>
      bad(await checked()).some((text) =>
        text.includes('that never arrived here, and no friend holds: number 4.'),
      );
    await eventually('alice misses it', missed, 40_000);
    const { verdict } = await trio.alice.status();
    expect(verdict.todo.map(({ command }) => command)).toContain('peer mail receipts bob');
    expect(await trio.alice.well(['mail', 'receipts'])).toMatch(/bob +4 +1-4 +0 +4/);
    await trio.alice.well(['mail', 'receipts', 'bob', '--settle', '--yes']);
    expect(bad(await checked())).toEqual([]);
  });

  it('from both friends arrives in full, each message once, also when bob is killed on the way', async () => {
    await allTogether([trio.alice, trio.bob, trio.carol]);
    await trio.alice.stop();
    const subjects = Array.from({ length: 20 }, (_, index) => `batch ${index}`);
    for (const [index, subject] of subjects.entries()) {
      const sent = await send(index % 2 === 0 ? trio.bob : trio.carol, letter(subject));
      expect([subject, sent.accepted]).toEqual([subject, true]);
    }
    await trio.alice.up();
    await eventually('the first is delivered', () => subjects.some((subject) => arrived(subject).length > 0));
    await trio.bob.kill();
    await trio.bob.up();
    await eventually(
      'all are delivered',
      () => subjects.every((subject) => arrived(subject).length > 0),
      30_000,
    );
    for (const box of [trio.bob, trio.carol]) {
      await eventually(`${box.name} is empty`, async () => (await waiting(box)).length === 0);
    }
    expect(subjects.map((subject) => arrived(subject).length)).toEqual(subjects.map(() => 1));
  });

  it('is in somebody’s keeping at every moment while her MTA is off, and delivered once when it is back', async () => {
    await allTogether([trio.alice, trio.bob, trio.carol]);
    await mta[Symbol.asyncDispose]();
    const sent = await send(trio.bob, letter('MTA away'));
    expect(sent.accepted).toBe(true);
    const keepers = async () => (await waiting(trio.bob)).length + (await waiting(trio.alice)).length;
    expect(await keepers()).toBeGreaterThan(0);
    await trio.alice.kill();
    await trio.alice.up();
    expect(await keepers()).toBeGreaterThan(0);
    const { address } = mta;
    mta = scene.use(await startRecordingMta({ address }));
    await trio.alice.well(['mail', 'flush']);
    await eventually('it is delivered', () => arrived('MTA away').length > 0, 60_000);
    await eventually('nobody keeps it any more', async () => (await keepers()) === 0);
    expect(arrived('MTA away')).toHaveLength(1);
    expect(withoutTrace(arrived('MTA away')[0]?.data ?? Buffer.alloc(0))).toBe(onTheWire(letter('MTA away')));
  });

  it('stays with bob while alice’s disk is full, leaves him when she has stored it, and outlives her index', async () => {
    await allTogether([trio.alice, trio.bob, trio.carol]);
    await mta[Symbol.asyncDispose]();
    const mostBytes = (limit: string) =>
      runWell(['prlimit', '--pid', String(trio.alice.pid()), `--fsize=${limit}:`]);
    await mostBytes('65536');
    const message = `${letter('disk full')}${`${'y'.repeat(70)}\n`.repeat(4000)}`;
    expect((await send(trio.bob, message)).accepted).toBe(true);
    await steadily(async () => {
      expect(await waiting(trio.bob)).toHaveLength(1);
      // What is held for her elsewhere is in her list too; on her own disk there is nothing.
      expect((await waiting(trio.alice)).filter(({ state }) => state !== 'held')).toEqual([]);
    }, 2000);
    await mostBytes('unlimited');
    await trio.bob.well(['mail', 'flush']);
    await eventually('alice has it', async () => (await waiting(trio.alice)).length === 1);
    await eventually('bob has let go of it', async () => (await waiting(trio.bob)).length === 0);
    await trio.alice.kill();
    await trio.bob.kill();
    await trio.bob.up();
    expect(await waiting(trio.bob)).toEqual([]);
    await rm(join(trio.alice.home, 'state/mail/index/db'), { recursive: true });
    await trio.alice.up();
    expect(await trio.alice.well(['events'])).toContain('The index of mail was lost: it was made anew');
    expect(await trio.alice.well(['doctor', 'disk'])).toMatch(
      /1 message queued for your mail server .*all readable.*The index of mail was lost/s,
    );
    expect(await trio.bob.well(['events'])).toContain('The index of mail was damaged: it was repaired');

    // Her disk rots: what cannot be read is set aside, so that the sender who comes again is no duplicate.
    const inbox = join(trio.alice.home, 'state/mail/inbox');
    for (const name of await readdir(inbox)) {
      const bytes = await readFile(join(inbox, name));
      if (bytes.length < message.length) continue;
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(join(inbox, name), bytes);
    }
    expect(await trio.alice.peer(['doctor', 'disk'])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/1 cannot be read.*\n.*peer doctor disk --fix/),
    });
    const mended = await trio.alice.peer(['doctor', 'disk', '--fix']);
    expect([mended.code, mended.stderr]).toEqual([0, expect.stringContaining('was set aside as ')]);
    expect(await readdir(join(trio.alice.home, 'state/mail/damaged'))).toHaveLength(1);
    expect(await waiting(trio.alice)).toEqual([]);
    expect((await send(trio.bob, message)).accepted).toBe(true);
    await eventually('alice has it again', async () =>
      (await waiting(trio.alice)).some(({ state }) => state === 'queued'),
    );
    const { address } = mta;
    mta = scene.use(await startRecordingMta({ address }));
    await trio.alice.well(['mail', 'flush']);
    await eventually('it is delivered', () => arrived('disk full').length > 0, 60_000);
    await eventually('nobody keeps it any more', async () => (await waiting(trio.alice)).length === 0);
    expect(arrived('disk full')).toHaveLength(1);
    expect(withoutTrace(arrived('disk full')[0]?.data ?? Buffer.alloc(0))).toBe(onTheWire(message));
    const checks = await checked();
    expect(texts(checks)).toContain('carol as a backup of alice.example takes mail');
    expect(texts(checks)).not.toContain('never arrived');
  });

  it('is counted on by bob from what he signed where he loses his index, so that alice misses nothing that came', async () => {
    await trio.bob.stop();
    await rm(join(trio.bob.home, 'state/mail/index/db'), { recursive: true });
    await trio.bob.up();
    await eventually(
      'bob counts on',
      () => trio.bob.log().includes('it goes on from what was signed'),
      30_000,
    );
    await allTogether([trio.alice, trio.bob]);
    await trio.alice.stop();
    expect((await send(trio.bob, letter('counted'))).accepted).toBe(true);
    await trio.alice.up();
    await eventually('it is delivered', () => arrived('counted').length > 0, 30_000);
    await eventually(
      'it is counted',
      async () => / accepted 1 message for you: 1 arrived, none is missing/.test(texts(await checked())),
      40_000,
    );
    expect(texts(await checked())).not.toMatch(/does not fit|never arrived|cannot tell/);
  });
});
