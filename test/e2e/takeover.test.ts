import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { freePort } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { run } from './lib/run.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';
import { signingFolder } from './lib/signed-zone.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const origin = 'alice.example';
const www = `www.${origin}`;
const secure = 'secure.example';

describe('a web site that a friend stands in for', () => {
  let trio: Trio;
  let port: number;
  let home: Server;
  let standby: Server;
  let addresses: { home: string; standby: string };

  /** A web server of some box: the real thing, small. */
  const site = async (host: string, page: string): Promise<Server> => {
    const server = createServer((_, response) => response.end(page)).listen(port, host);
    await once(server, 'listening');
    scene.use({
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
      },
    });
    return server;
  };
  const answered = async (box: Box): Promise<string[]> =>
    (await dig(box.dns, www, 'A')).answers.map((line) => line.split(' ').at(-1) ?? '');
  const answersAt = async (boxes: readonly Box[], address: string): Promise<boolean> =>
    (await Promise.all(boxes.map(answered))).every((found) => found.join() === address);
  const serials = async (boxes: readonly Box[]): Promise<(number | undefined)[]> =>
    await Promise.all(boxes.map(async (box) => await authoritativeSerial(box.dns, origin)));

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    addresses = { home: trio.address(1), standby: trio.address(2) };
    port = await freePort(addresses.home);
    home = await site(addresses.home, 'alice at home');
    standby = await site(addresses.standby, 'alice, from a copy at bob');
    const file = alice.write(
      'a.zone',
      zoneText({ serial: 2026112701, ns1: bob.host, ns2: carol.host, www: addresses.home }),
    );
    await alice.well(['zone', 'add', origin, '--file', file]);
    await eventually('friends answer the zone', () => answersAt([bob, carol], addresses.home));
  });

  it('is refused where friends could not stand in, with the reason, and nothing is changed', async () => {
    const before = trio.alice.read('peer.toml');
    const add = (record: string, standby: string) =>
      trio.alice.peer([
        'service',
        'add',
        'web',
        '--record',
        record,
        '--check',
        `http://${www}:${port}/`,
        '--standby',
        standby,
      ]);
    const elsewhere = await add('www.bob.example', 'bob=192.0.2.1');
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      65,
      expect.stringContaining('is in no zone of this box'),
    ]);
    const stranger = await add(www, 'mallory=192.0.2.1');
    expect([stranger.code, stranger.stderr]).toEqual([
      65,
      expect.stringContaining('no friend called mallory'),
    ]);
    expect(trio.alice.read('peer.toml')).toBe(before);
  });

  it('is answered from the standby by every friend once both agree that box and site are down, and only then', async () => {
    const { alice, bob, carol } = trio;
    await alice.well([
      'service',
      'add',
      'web',
      '--record',
      www,
      '--check',
      `http://${www}:${port}/`,
      '--standby',
      `bob=${addresses.standby}`,
      '--after',
      '10s',
      '--hold',
      '5s',
      '--ttl',
      '30s',
    ]);
    await eventually('friends know the service', async () =>
      (await carol.well(['service', 'list'])).includes(www),
    );
    const before = await serials([bob, carol]);
    await alice.kill();
    home.closeAllConnections();
    await new Promise((resolve) => home.close(resolve));
    expect(await answersAt([bob, carol], addresses.home)).toBe(true);
    await eventually('both answer the standby', () => answersAt([bob, carol], addresses.standby), 70_000);
    const [first, second] = await serials([bob, carol]);
    expect(first).toBe((before[0] ?? 0) + 1);
    expect(second).toBe(first);
    expect((await dig(carol.dns, www, 'A')).answers).toEqual([`${www}. 30 IN A ${addresses.standby}`]);
    const { takeovers } = await carol.status();
    expect(takeovers).toEqual([
      {
        owner: 'alice',
        service: 'web',
        name: www,
        by: 'bob',
        sinceAt: expect.any(String),
        votes: expect.arrayContaining(['bob', 'carol']),
      },
    ]);
    expect(await metrics(carol)).toContain('copain_takeover_active{owner="alice",service="web"} 1');
  });

  it('stays so over a restart of a friend, and goes home once the site is well again and its owner is back', async () => {
    const { alice, bob, carol } = trio;
    await carol.kill();
    await carol.up();
    expect(await answersAt([carol], addresses.standby)).toBe(true);
    home = await site(addresses.home, 'alice at home again');
    await alice.up();
    const during = await serials([bob, carol]);
    await eventually('all are home', () => answersAt([alice, bob, carol], addresses.home), 60_000);
    await eventually('all have one serial', async () => {
      const now = await serials([alice, bob, carol]);
      return new Set(now).size === 1 && (now[0] ?? 0) > (during[0] ?? 0);
    });
    expect((await bob.status()).takeovers).toEqual([]);
  });

  it('is rehearsed on request: friends answer the standby for as long, come home, and the owner hears what held', async () => {
    const { alice, bob, carol } = trio;
    const [before] = await serials([bob]);
    const drilled = alice.json<{ drills: object[] }>(['drill', '--friend', 'bob', '--for', '4s']);
    await eventually('both answer the standby', () => answersAt([bob, carol], addresses.standby));
    expect((await alice.status()).takeovers).toMatchObject([{ service: 'web', by: 'bob', votes: [] }]);
    expect((await drilled).drills).toMatchObject([
      {
        service: 'web',
        standby: 'bob',
        friends: ['bob', 'carol'].map((name) => ({
          name,
          thereAfterMs: expect.any(Number),
          homeAfterMs: expect.any(Number),
        })),
        tries: { up: expect.any(Number), down: 0 },
        held: true,
      },
    ]);
    expect(await answersAt([alice, bob, carol], addresses.home)).toBe(true);
    expect((await serials([carol]))[0]).toBeGreaterThan(before ?? 0);
    standby.closeAllConnections();
    await new Promise((resolve) => standby.close(resolve));
    const failed = await alice.peer(['drill', '--for', '1s']);
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('did not hold')]);
    expect((await alice.peer(['drill', '--friend', 'carol'])).code).toBe(65);
  });

  it('goes where its owner pins it, at once, and a change of the zone keeps the serial rising', async () => {
    const { alice, bob, carol } = trio;
    const [before] = await serials([bob]);
    await alice.well(['service', 'pin', 'web', 'down']);
    await eventually('both answer the standby', () => answersAt([bob, carol], addresses.standby));
    const [pinned] = await serials([bob]);
    expect(pinned).toBeGreaterThan(before ?? 0);
    alice.write(
      'a.zone',
      zoneText({
        serial: 2026112702,
        ns1: bob.host,
        ns2: carol.host,
        www: addresses.home,
        more: ['new A 192.0.2.9'],
      }),
    );
    await eventually(
      'the change is answered',
      async () => (await dig(carol.dns, `new.${origin}`, 'A')).answers.length === 1,
    );
    const [changed] = await serials([carol]);
    expect(changed).toBeGreaterThan(pinned ?? 0);
    expect(await answersAt([bob, carol], addresses.standby)).toBe(true);
    await alice.well(['service', 'remove', 'web']);
    await eventually('both are home', () => answersAt([bob, carol], addresses.home));
    expect((await serials([carol]))[0]).toBeGreaterThan(changed ?? 0);
  });
});

/** Programs of BIND: keys and signatures that are not ours, and a validator. */
const signers = ['dig', 'delv', 'dnssec-keygen', 'dnssec-signzone'];

describe.skipIf(whyNot({ programs: signers }, 'takeover in a signed zone'))(
  'a service in a zone that is signed with DNSSEC',
  () => {
    it('has a standby once its owner’s signer signed that too, and validators take the answer', async () => {
      const { alice, bob, carol } = await threeFriends(scene);
      const signing = await signingFolder(join(alice.home, 'signing'), secure);
      const text = (www: string): string =>
        [
          '$TTL 300',
          `@ SOA ns1 host 1 14400 3600 1209600 300`,
          '@ NS ns1',
          `ns1 A ${bob.host}`,
          `www A ${www}`,
          '',
        ].join('\n');
      // The tool writes to one place: the standby's is moved away before the zone's own is made.
      renameSync(await signing.sign(text('198.51.100.7')), join(alice.home, 'standby.signed'));
      await alice.well(['zone', 'add', secure, '--file', await signing.sign(text('192.0.2.80'))]);
      const www = async (box: Box) => (await dig(box.dns, `www.${secure}`, 'A')).answers.join();
      await eventually('friends answer it', async () => (await www(carol)).includes('192.0.2.80'));
      const add = ['service', 'add', 'web', '--record', `www.${secure}`, '--check', `https://www.${secure}/`];
      const bare = await alice.peer([...add, '--standby', 'bob=198.51.100.7']);
      expect([bare.code, bare.stderr]).toEqual([65, expect.stringContaining('need signatures of their own')]);
      const file = join(alice.home, 'standby.signed');
      const other = await alice.peer([...add, '--standby', 'bob=198.51.100.8', '--signed', file]);
      expect([other.code, other.stderr]).toEqual([65, expect.stringContaining("not the standby's records")]);
      await alice.well([...add, '--standby', 'bob=198.51.100.7', '--signed', file]);
      await alice.well(['service', 'pin', 'web', 'down']);
      for (const box of [bob, carol]) {
        await eventually('it is answered from the standby', async () =>
          (await www(box)).includes('198.51.100.7'),
        );
        expect(await authoritativeSerial(box.dns, secure)).toBe(1);
        const at = [`@${box.dns.host}`, '-p', String(box.dns.port), '-a', signing.anchors, `+root=${secure}`];
        const { stdout, stderr } = await run(['delv', ...at, `www.${secure}`, 'A']);
        expect(stdout + stderr).toContain('; fully validated');
        expect(stdout).toContain('198.51.100.7');
      }
    });
  },
);

async function metrics(box: Box): Promise<string> {
  return await (await fetch(`http://${box.http.host}:${box.http.port}/metrics`)).text();
}
