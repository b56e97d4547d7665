import { beforeAll, describe, expect, it } from 'vitest';
import { joinWithRelay, upAtHome } from './lib/at-home.ts';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { type NatNetwork, startNatNetwork } from './lib/nat-network.ts';
import { type Postfix, startPostfix } from './lib/postfix.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, boxesIn, openScene, takesMail } from './lib/scene.ts';
import type { FriendJson, MessageJson } from './lib/status-json.ts';
import { isHeard } from './lib/status-json.ts';
import { letter, swaks } from './lib/swaks.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip =
  whyNot({ programs: ['ip', 'nft', 'bridge', 'dig', 'postfix', 'swaks'], root: true }, 'NAT') !== undefined;
let network: NatNetwork;
let alice: Box;
let bob: Box;
let carol: Box;
let server: Postfix;

async function friendOf(box: Box, name: string): Promise<FriendJson> {
  const friend = (await box.status()).friends.find((one) => one.name === name);
  if (!friend) throw new Error(`${box.name} does not list ${name}`);
  return friend;
}

/** Waits until each sees the other in this way. */
async function path(one: Box, other: Box, wanted: Partial<FriendJson>, withinMs: number): Promise<void> {
  for (const [box, name] of [
    [one, other.name],
    [other, one.name],
  ] as const) {
    await eventually(
      `${box.name} sees ${name} ${wanted.path}`,
      async () => {
        const friend = await friendOf(box, name);
        expect(friend).toMatchObject({ state: 'up', ...wanted });
        return true;
      },
      withinMs,
    );
  }
}

const answered = (box: Box, origin: string): Promise<number | undefined> =>
  authoritativeSerial(box.dns, origin, { namespace: box.namespace });

function zoneOf(serial: number): string {
  return zoneText({ serial, ns1: network.outside('carol'), ns2: network.outside('bob') });
}

async function mailVia(box: Box, subject: string): Promise<void> {
  const sent = await swaks({
    server: box.smtp,
    from: 'erika@outside.test',
    to: 'anna@alice.example',
    message: letter(subject),
    namespace: box.namespace,
  });
  expect(sent.accepted).toBe(true);
}

const inMailbox = (subject: string): boolean =>
  server.mailbox('anna').some((message) => message.includes(`Subject: ${subject}\n`));

describe.skipIf(skip)(
  'two boxes behind two NATs without a forwarded port, and a public friend who relays',
  () => {
    beforeAll(async () => {
      network = scene.use(
        await startNatNetwork([
          { box: 'alice', outside: '198.18.1.2', nat: true },
          { box: 'bob', outside: '198.19.1.2', nat: true },
          { box: 'carol', outside: '203.0.113.1', nat: false },
        ]),
      );
      const boxes = boxesIn(scene, network, ['alice', 'bob', 'carol']);
      [alice, bob, carol] = boxes;
      for (const box of boxes) {
        await upAtHome(box);
      }
      await joinWithRelay(alice, carol);
      server = scene.use(
        await startPostfix({
          name: 'alice',
          address: { host: '127.0.0.1', port: 2525 },
          namespace: alice.namespace,
          owner: { domain: 'alice.example', users: ['anna'] },
        }),
      );
    });

    it('an invite by one of them is redeemed by the other, through the public friend', async () => {
      await eventually('alice knows where friends see her', async () => {
        const { code } = await alice.peer(['invite', 'probe', '--json']);
        return code === 0;
      });
      await joinWithRelay(bob, alice);
      await carol.well(['friends', 'may', 'bob', '+dns', '+mail', '+relay']);
      await allTogether([alice, bob, carol], 60_000);
    });

    it('they see each other up, relayed via the friend, and say so; she sees both directly', async () => {
      await path(alice, bob, { path: 'relayed', via: 'carol' }, 30_000);
      await path(alice, carol, { path: 'direct', via: null }, 5000);
      await path(bob, carol, { path: 'direct', via: null }, 5000);
      expect(await alice.well(['status'])).toMatch(/bob.*via carol/);
      expect(await alice.well(['friends', 'show', 'bob'])).toContain('via carol');
    });

    it('a zone change and a live mail pass the relay', async () => {
      const file = alice.write('a.zone', zoneOf(7));
      await alice.well(['zone', 'add', 'alice.example', '--file', file]);
      await eventually('bob answers', async () => (await answered(bob, 'alice.example')) === 7, 15_000);
      alice.write('a.zone', zoneOf(8));
      await eventually(
        'bob answers the change',
        async () => (await answered(bob, 'alice.example')) === 8,
        5000,
      );

      await alice.well(['mail', 'add', 'alice.example', '--deliver', '127.0.0.1:2525', '--client', 'none']);
      await takesMail(bob, 'alice.example');
      await mailVia(bob, 'live-through-relay');
      expect((await bob.json<{ messages: MessageJson[] }>(['mail', 'list'])).messages).toEqual([]);
      await eventually('her server puts it into the mailbox', () => inMailbox('live-through-relay'));
    });

    it('after a cut they find each other again through the relay, and mail held meanwhile arrives', async () => {
      await network.cut('alice');
      await eventually(
        'bob misses alice',
        async () => !isHeard((await friendOf(bob, 'alice')).state),
        60_000,
      );
      await mailVia(bob, 'held-meanwhile');
      await network.heal('alice');
      const startMs = performance.now();
      await path(alice, bob, { path: 'relayed', via: 'carol' }, 30_000);
      process.stderr.write(`relayed again after ${Math.round(performance.now() - startMs)} ms\n`);
      await eventually('the held mail arrives', () => inMailbox('held-meanwhile'), 20_000);
    });

    it('a restart of the relay heals, both ways of ending it', async () => {
      for (const how of ['stop', 'kill'] as const) {
        await carol[how]();
        await eventually(
          'alice misses bob',
          async () => !isHeard((await friendOf(alice, 'bob')).state),
          10_000,
        );
        await carol.up();
        const startMs = performance.now();
        await path(alice, bob, { path: 'relayed', via: 'carol' }, 30_000);
        process.stderr.write(`relayed ${Math.round(performance.now() - startMs)} ms after ${how}\n`);
      }
    });

    it('another address from the provider heals too', async () => {
      await network.renumber('alice', '198.18.7.7');
      await eventually(
        'alice’s new address is known',
        async () => (await alice.status()).address.ipv4 === '198.18.7.7',
        60_000,
      );
      await path(alice, bob, { path: 'relayed', via: 'carol' }, 30_000);
      alice.write('a.zone', zoneOf(9));
      await eventually(
        'bob answers the change',
        async () => (await answered(bob, 'alice.example')) === 9,
        5000,
      );
    });

    it('friends dial back: who can be dialled and who cannot is told in plain words, with what to do', async () => {
      const hidden = await alice.peer(['doctor', 'net', '--ask-friends']);
      expect(hidden.code).toBe(1);
      expect(hidden.stdout).toContain('Friends see this box at 198.18.7.7; its own address is 192.168.1.2');
      expect(hidden.stdout).toContain('carol could not reach 198.18.7.7:4853');
      expect(hidden.stdout).toContain('have the router forward TCP port 4853 to 192.168.1.2');
      expect(hidden.stdout).toContain('Friends reach this box through carol.');
      expect((await alice.status()).address).toMatchObject({ reachable: false, relays: ['carol'] });
      expect((await alice.status()).verdict.todo.map(({ command }) => command)).toContain('peer doctor net');

      const open = await carol.json<{ checks: { id: string; ok: boolean | null }[] }>(['doctor', 'net']);
      expect(open.checks).toContainEqual(expect.objectContaining({ id: 'net.mesh', ok: true }));
      expect(open.checks).toContainEqual(expect.objectContaining({ id: 'net.mail', ok: true }));
      expect((await carol.status()).address).toMatchObject({ reachable: true, relays: [] });
    });

    it('a forwarded port makes the path direct, and no relay is needed any more', async () => {
      await network.forward('alice', 4853);
      await eventually(
        'friends find alice’s port open',
        async () => {
          const { stdout } = await alice.peer(['doctor', 'net', '--ask-friends', '--json']);
          const { checks } = JSON.parse(stdout) as { checks: { id: string; ok: boolean | null }[] };
          return checks.some(({ id, ok }) => id === 'net.mesh' && ok === true);
        },
        30_000,
      );
      expect((await alice.status()).address).toMatchObject({ reachable: true });
      await eventually(
        'alice lets the relay go',
        async () => (await alice.status()).address.relays.length === 0,
      );
      // The direct way is looked for at a slow pace; a new start looks at once.
      await bob.stop();
      await bob.up();
      await path(alice, bob, { path: 'direct', via: null }, 60_000);
    });
  },
);
