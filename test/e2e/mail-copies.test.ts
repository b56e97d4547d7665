import { seededRandom } from '@copain/core/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually as within } from './lib/eventually.ts';
import { type RecordingMta, startRecordingMta } from './lib/recording-mta.ts';
import { allTogether, openScene, type Trio, takesMail, threeFriends } from './lib/scene.ts';
import { send } from './lib/smtp-dialogue.ts';
import type { MessageJson } from './lib/status-json.ts';

const scene = openScene();
/** Boxes that are killed and started again find each other after a redial or two. */
const eventually = (
  what: string,
  condition: Parameters<typeof within>[1],
  withinMs = 30_000,
): Promise<unknown> => within(what, condition, withinMs);

const anna = 'anna@alice.example';
/** As many as her agent hands to her mail server at once: what a kill between its 250 and the next sync can double. */
const deliveriesAtOnce = 4;
const messagesEach = 8;
let trio: Trio;
let mta: RecordingMta;

const arrivals = (subject: string): number =>
  mta.messages.filter(({ data }) => data.includes(`Subject: ${subject}\r\n`)).length;

async function held(box: Box): Promise<MessageJson[]> {
  const { messages } = await box.json<{ messages: MessageJson[] }>(['mail', 'list', '--here']);
  return messages;
}

const events = async (box: Box, kind: string): Promise<string[]> =>
  (await box.status()).events.filter((event) => event.kind === kind).map(({ text }) => text);

/** Does this friend know how alice wants her mail treated? */
const isTold = async (count: number): Promise<boolean> => {
  const { friends } = await trio.alice.json<{ friends: { isCurrent: boolean }[] }>([
    'mail',
    'recipients',
    'alice.example',
  ]);
  return friends.length === count && friends.every(({ isCurrent }) => isCurrent);
};

describe('mail that alice wants to be kept by two friends', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    mta = scene.use(await startRecordingMta({ address: { host: trio.address(9), port: 2500 } }));
    const deliver = `${mta.address.host}:${mta.address.port}`;
    await alice.well(['mail', 'add', 'alice.example', '--deliver', deliver, '--recipients', 'any']);
    alice.write(
      'peer.toml',
      alice.read('peer.toml').replace('recipients = "any"', 'recipients = "any"\ncopies = 2'),
    );
    await alice.well(['reload']);
    for (const box of [bob, carol]) await takesMail(box, 'alice.example');
    await eventually('bob and carol were told', async () => await isTold(2));
  });

  it('is accepted when both have it, so that one of them may burn; and is delivered once', async () => {
    const { alice, bob, carol } = trio;
    await alice.stop();
    expect(await send(bob.smtp, anna, 'doubled')).toMatch(/^250 .*by two friends/);
    expect(await held(carol)).toMatchObject([{ heldBy: ['carol', 'bob'] }]);
    expect(await held(bob)).toMatchObject([{ heldBy: ['bob', 'carol'] }]);
    expect((await bob.status()).mail).toMatchObject([{ domain: 'alice.example', alsoHeldBy: ['carol'] }]);
    await bob.kill();
    await alice.up();
    await eventually('carol’s copy is delivered', () => arrivals('doubled') > 0);
    await bob.up();
    await eventually('bob has let go of his', async () => (await held(bob)).length === 0);
    expect(await held(carol)).toEqual([]);
    expect(arrivals('doubled')).toBe(1);
  });

  it('is taken with one copy while no second friend is up, doubled later, and alice is told', async () => {
    const { alice, bob, carol } = trio;
    await allTogether([alice, bob, carol]);
    await carol.stop();
    await alice.stop();
    expect(await send(bob.smtp, anna, 'single')).toMatch(/^250 2\.0\.0 Ok: held for the owner$/);
    await carol.up();
    await eventually('carol has a copy', async () => (await held(carol)).length === 1);
    await alice.up();
    await eventually('it is delivered', () => arrivals('single') > 0);
    await eventually('alice was told', async () => (await events(alice, 'mail.single-copy')).length === 1);
    expect(await events(alice, 'mail.single-copy')).toEqual([
      expect.stringMatching(/^bob accepted 1 message for alice\.example .* no second friend/),
    ]);
    await eventually(
      'both have let go',
      async () => (await held(bob)).length + (await held(carol)).length === 0,
    );
    expect(arrivals('single')).toBe(1);
  });

  it('arrives in full whoever is killed: friends while they accept and copy, alice while it is delivered', async () => {
    const { alice, bob, carol } = trio;
    await allTogether([alice, bob, carol]);
    await alice.stop();
    const random = seededRandom(20261127);
    const accepted: string[] = [];
    /** A sender as they are: what was not accepted goes to the next MX, again and again. */
    const sender = async (lane: number): Promise<void> => {
      for (let i = 0; i < messagesEach; i++)
        for (let turn = lane; ; turn++) {
          const box = turn % 2 === 0 ? bob : carol;
          const answer = await send(box.smtp, anna, `lane ${lane} no ${i}`).catch(() => 'nobody there');
          if (answer.startsWith('250')) {
            accepted.push(`lane ${lane} no ${i}`);
            break;
          }
        }
    };
    const lanes = [0, 1, 2];
    const senders = lanes.map(sender);
    for (const victim of [bob, carol]) {
      const until = Math.min(
        accepted.length + 1 + Math.floor(random.fraction() * 5),
        lanes.length * messagesEach,
      );
      await eventually('more is accepted', () => accepted.length >= until);
      await victim.kill();
      await victim.up();
    }
    await Promise.all(senders);
    expect(accepted).toHaveLength(lanes.length * messagesEach);
    await alice.up();
    const first = 1 + Math.floor(random.fraction() * accepted.length);
    const arrived = (): string[] => accepted.filter((subject) => arrivals(subject) > 0);
    await eventually('some of it is delivered', () => arrived().length >= first);
    await Promise.all([alice.kill(), carol.kill()]);
    await Promise.all([alice.up(), carol.up()]);
    await eventually('all of it is delivered', () => arrived().length === accepted.length, 60_000);
    await eventually(
      'nobody holds any',
      async () => (await held(bob)).length + (await held(carol)).length === 0,
    );
    const twice = accepted.filter((subject) => arrivals(subject) > 1);
    expect(twice.length).toBeLessThanOrEqual(deliveriesAtOnce);
    expect(accepted.every((subject) => arrivals(subject) <= 2)).toBe(true);
  });

  it('moves to the other friend when one keeps none any more, and alice is told', async () => {
    const { alice, bob, carol } = trio;
    await allTogether([alice, bob, carol]);
    await carol.stop();
    await alice.stop();
    expect(await send(bob.smtp, anna, 'moved')).toMatch(/^250/);
    await bob.well(['friends', 'may', 'alice', '-mail']);
    await eventually('bob says what is still here', async () =>
      (await bob.status()).verdict.todo.some(({ text }) =>
        /1 message for alice\.example is still here/.test(text),
      ),
    );
    expect(await held(bob)).toHaveLength(1);
    await carol.up();
    await bob.kill();
    await bob.up();
    await eventually('carol has it, and bob no more', async () => (await held(bob)).length === 0);
    expect(await held(carol)).toHaveLength(1);
    await alice.up();
    await eventually('it is delivered', () => arrivals('moved') > 0);
    await eventually('alice was told', async () => (await events(alice, 'mail.moved')).length === 1);
    expect(await events(alice, 'mail.moved')).toEqual([
      expect.stringMatching(/^bob gave 1 message for alice\.example .* to carol/),
    ]);
    await eventually('carol has let go', async () => (await held(carol)).length === 0);
    expect(arrivals('moved')).toBe(1);
  });
});
